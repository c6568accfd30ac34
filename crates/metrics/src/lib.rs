//! Charts of mail flow and host.
