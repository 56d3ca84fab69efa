//! overdue
pub mod config;
pub mod deliver;
pub mod machine;
pub mod model;
pub mod store;
