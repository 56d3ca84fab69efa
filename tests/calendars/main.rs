//! Calendar expressions beside the programs that others read them with.

mod cronsim;
