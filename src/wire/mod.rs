//! Bytes ⇄ types: the only place that knows RESP.
//!
//! - outbound: [`request`] is what we send Redis and peers, [`reply`] what they answer; [`info`] and [`hello`] are the two texts inside
//! - inbound: [`command`] is what clients and peers send us, [`answer`] what we say back, with [`view`] for copies of state
//! - [`frame`] is the one door to the RESP library, for replies; [`inbound`] reads requests; [`value`] writes answers
//! - [`table`] is the command table: [`mod@parse`] reads commands by it, [`catalog`] and [`help`] show it, [`refusal`] says no
//! - [`mod@render`], [`info_text`] and [`pubsub`] turn what we know into values
//!
//! Nothing here decides anything: a malformed frame becomes an error value, a well-formed one a type.

pub mod answer;
pub mod catalog;
pub mod command;
pub mod frame;
pub mod glob;
pub mod hello;
pub mod help;
pub mod inbound;
pub mod info;
pub mod info_text;
pub mod naming;
pub mod parse;
pub mod pubsub;
pub mod refusal;
pub mod render;
pub mod reply;
pub mod request;
mod scan;
pub mod table;
pub mod value;
pub mod view;

pub use answer::{Answer, ErrorReply};
pub use command::{Command, SentinelCommand};
pub use frame::{Frame, ReplyDecoder, hello_message};
pub use hello::Hello;
pub use inbound::{ProtocolError, RequestDecoder};
pub use info::{InfoReport, Role};
pub use info_text::{Sections, ServerFacts};
pub use naming::Naming;
pub use parse::{Parsed, parse};
pub use refusal::CommandError;
pub use render::render;
pub use reply::{PingReply, Reply};
pub use request::{Expect, Request};
pub use scan::{FrameError, Limits};
pub use table::{CommandSpec, Verb};
pub use value::{Protocol, Value};
