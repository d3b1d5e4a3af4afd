//! A failover as its leader lives it: the order of events, and what may be seen before it is saved (spec 2 §8.3–§9.8).

use crate::lab::lab;

const STORY: [&str; 11] = [
    "+sdown",
    "+odown",
    "+new-epoch",
    "+try-failover",
    "+vote-for-leader",
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "-role-change",
];

#[test]
fn events_come_in_the_order_of_the_reference() {
    for peers in [0, 2] {
        let mut lab = lab(2, peers);
        for peer in 1..=peers {
            lab.stub(5000 + peer).down = true;
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until("+switch-master", 2_000);
        let mut expected = STORY.to_vec();
        expected.extend(["+promoted-slave", "+failover-state-reconf-slaves"]);
        expected.extend(["+slave-reconf-sent", "+slave-reconf-inprog", "+slave-reconf-done"]);
        expected.extend(["+failover-end", "+switch-master", "+slave", "+slave"]);
        assert_eq!(lab.names(), expected, "{}", lab.history());
    }
}

#[test]
fn without_other_replicas_the_switch_follows_the_promotion() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    let mut expected = STORY.to_vec();
    expected.extend(["+promoted-slave", "+failover-state-reconf-slaves", "+failover-end"]);
    expected.extend(["+switch-master", "+slave"]);
    assert_eq!(lab.names(), expected, "{}", lab.history());
}
