//! SLAVEOF that is refused at a bad time, and promotions that are not said yet (spec 2 §2.3, §9.4–§9.6).

use sentineld::engine::{ConnId, Input, Tag};
use sentineld::wire::{Reply, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, lab};
use crate::stub::{master_info, replica_info};

impl Lab {
    /// What mute stand-ins owed arrives now, in order.
    fn pay(&mut self, debts: Vec<(ConnId, Tag, Reply)>) {
        for (conn, tag, reply) in debts {
            self.feed(Input::Reply(conn, tag, reply));
        }
    }
}

fn is_slaveof(request: &Request) -> bool {
    matches!(request, Request::ReplicaOf(_))
}

#[test]
fn in_tilt_nothing_is_sent_anew() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6002).mute = true;
    lab.stub(6002).slaveof = Err("NOAUTH".into());
    lab.kill(6000);
    lab.until("+slave-reconf-sent slave 127.0.0.1:6002", 2_500);
    assert_eq!(lab.asked_of(6002, is_slaveof), 1);
    let debts = std::mem::take(&mut lab.unanswered);
    lab.freeze(2_001);
    assert!(lab.names().contains(&"+tilt") && !lab.names().contains(&"-tilt"), "{}", lab.history());
    lab.pay(debts);
    assert_eq!(lab.count("log: SLAVEOF 127.0.0.1 6001 refused"), 1, "{}", lab.history());
    assert_eq!(lab.asked_of(6002, is_slaveof), 1, "{}", lab.history());
    (lab.stub(6002).mute, lab.stub(6002).slaveof) = (false, Ok(()));
    lab.until("+slave-reconf-done slave 127.0.0.1:6002", 3_000);
}

#[test]
fn who_comes_back_while_another_is_under_way_waits_for_its_turn() {
    let mut lab = lab(3, 0);
    lab.run(3_000);
    lab.stub(6002).mute = true;
    lab.stub(6002).slaveof = Err("LOADING".into());
    lab.stub(6003).obeys = false;
    lab.until("+sdown slave 127.0.0.1:6002", 3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent slave 127.0.0.1:6003", 2_500);
    let sent = lab.asked_of(6002, is_slaveof);
    assert_eq!(sent, 1, "who is down does not count: {}", lab.history());
    let debts = std::mem::take(&mut lab.unanswered);
    lab.pay(debts);
    assert_eq!(lab.count("-sdown slave 127.0.0.1:6002"), 1, "{}", lab.history());
    assert_eq!(lab.asked_of(6002, is_slaveof), sent, "{}", lab.history());
    (lab.stub(6002).mute, lab.stub(6002).slaveof) = (false, Ok(()));
    lab.stub(6003).info = Some(replica_info(6003, 6001, ""));
    lab.until("+slave-reconf-done slave 127.0.0.1:6002", 3_000);
}

#[test]
fn who_is_down_takes_nobodys_turn() {
    let mut lab = lab(4, 0);
    lab.run(3_000);
    lab.stub(6003).mute = true;
    lab.until("+sdown slave 127.0.0.1:6003", 3_000);
    (2..5).for_each(|number| lab.stub(6000 + number).obeys = false);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent slave 127.0.0.1:6002", 2_500);
    lab.stub(6002).silent_to_pings = true;
    lab.until("+slave-reconf-sent slave 127.0.0.1:6004", 3_000);
    let sent = |port: u16| {
        let prefix = format!("+slave-reconf-sent slave 127.0.0.1:{port}");
        lab.events
            .iter()
            .filter(|event| event.1.starts_with(&prefix))
            .map(|event| event.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(6003), sent(6004), "in the same moment: {}", lab.history());
}

#[test]
fn peers_hear_of_a_promotion_after_clients() {
    let mut lab = lab(2, 1);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).obeys = false;
    lab.stub(6002).obeys = false;
    lab.ask(SentinelCommand::Failover(MASTER.into()));
    lab.until("+failover-state-wait-promotion", 2_000);
    // The save takes until the next hello is due.
    lab.disk = Disk::Hangs;
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.run(2_500);
    assert_eq!(lab.count("+switch-master"), 0, "{}", lab.history());
    lab.save_all();
    assert_eq!(lab.count("+switch-master"), 1, "{}", lab.history());
    let names_it =
        |request: &Request| matches!(request, Request::Publish(hello) if hello.master_port == 6001);
    assert_eq!(lab.asked_of(6000, names_it), 1, "one goes out, behind the announcement");
}
