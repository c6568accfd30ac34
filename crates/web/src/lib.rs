//! What the web faces share.
