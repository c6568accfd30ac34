//! Questions to the read model. Pure: [`range`], [`cuts`]. The rest reads pages over a connection that it is given.

pub mod cuts;
pub mod flow;
pub mod hosts;
pub mod overview;
pub mod range;
pub mod scan;
pub mod senders;
pub mod series;
