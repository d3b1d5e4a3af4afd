//! The level of every event: how important the log says it is, and whether a notification script hears of it (spec 1 §7.5).
//!
//! The lab holds each event of each test against this table.

use sentineld::engine::{Level, Notice};

const TABLE: [(Level, &str); 4] = [
    (Level::Debug, "+script-child -script-child -cmd-link-reconnection -pubsub-link-reconnection"),
    (Level::Verbose, "+role-change -role-change"),
    (
        Level::Notice,
        "+slave +sentinel +reboot +convert-to-slave +fix-slave-config +sentinel-invalid-addr +slave-reconf-sent \
         +slave-reconf-inprog +slave-reconf-done +slave-reconf-sent-be -slave-reconf-sent-timeout \
         +failover-state-send-slaveof-noone +failover-state-wait-promotion +sentinel-address-switch \
         +sentinel-address-update",
    ),
    (
        Level::Warning,
        "+monitor -monitor +reset-master +set +sdown -sdown +odown -odown +new-epoch +try-failover +vote-for-leader \
         +elected-leader +failover-state-select-slave +selected-slave +promoted-slave +failover-state-reconf-slaves \
         +failover-end +failover-end-for-timeout -failover-abort-not-elected -failover-abort-no-good-slave \
         -failover-abort-slave-timeout +switch-master +config-update-from -script-error -script-timeout +tilt -tilt",
    ),
];

/// Checks one event.
#[track_caller]
pub fn check(notice: &Notice) {
    let row = TABLE.iter().find(|(_, names)| names.split(' ').any(|name| name == notice.name));
    let (level, _) = row.unwrap_or_else(|| panic!("no event is called {}", notice.name));
    assert_eq!(notice.level, *level, "{}", notice.name);
}
