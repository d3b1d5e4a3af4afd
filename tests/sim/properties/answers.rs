//! **Answers leave in the order of the questions**, each once, for every client. A client has nothing but the order to tell which answer
//! belongs to which of its commands; an answer that waits for the disk keeps those behind it waiting.
//!
//! Request 0 is the first of a connection: clients may come again under the same number.
//!
//! Can't see: whether an answer says what it should; for that there are the engine's tests.

use std::collections::BTreeMap;

use crate::seen::{Property, Scene, Seen};

#[derive(Default)]
pub struct Answers {
    /// By Sentinel and client: the request that was answered last.
    last: BTreeMap<(usize, u64), u64>,
}

impl Property for Answers {
    fn name(&self) -> &'static str {
        "answers leave in the order of the questions"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Started => self.last.retain(|(node, _), _| *node != scene.node),
            Seen::Answered { client, request } => {
                if let Some(last) = self.last.insert((scene.node, *client), *request)
                    && last >= *request
                    && *request > 0
                {
                    return Err(format!("request {request} of client {client} is answered after {last}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    fn answered(client: u64, request: u64) -> Seen {
        Seen::Answered { client, request }
    }

    #[test]
    fn in_order_is_fine() {
        let mut stage = Stage::new(Answers::default());
        stage.fine(answered(1, 0)).fine(answered(2, 0)).fine(answered(1, 1)).fine(answered(1, 3));
        stage.fine(answered(1, 0)).fine(answered(1, 1));
        stage.node(1).fine(answered(1, 0));
    }

    #[test]
    fn backwards_or_twice_is_not() {
        let mut stage = Stage::new(Answers::default());
        stage.fine(answered(1, 2)).wrong(answered(1, 1)).fine(answered(2, 5)).wrong(answered(2, 5));
    }
}
