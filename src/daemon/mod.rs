//! The only async code and the only I/O: sockets, timers, files, processes around the engine.

pub mod background;
pub mod chance;
pub mod clock;
pub mod config_file;
pub mod inbox;
pub mod limits;
pub mod link;
pub mod logging;
pub mod pidfile;
pub mod resolver;
pub mod scripts;
pub mod strerror;
pub mod supervision;
