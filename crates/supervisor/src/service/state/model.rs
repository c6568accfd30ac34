//! The machine in a world without clock and kernel.
