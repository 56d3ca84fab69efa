//! overdue
pub mod config;
pub mod machine;
pub mod model;
pub mod store;
