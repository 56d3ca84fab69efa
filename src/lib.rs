//! overdue
pub mod machine;
pub mod model;
