//! Real client libraries find the master, write to it, and follow it: all of them at once, in one fleet each time.

mod support;

use std::io::Write;

use serde_json::{Value as Json, json};
use support::fleet::{PATIENT_MS, Plan, timing};
use support::{Driver, Fleet, Library, Value, wait_for};

const PASSWORD: &str = "for-the-default-user";
const APP_PASSWORD: &str = "for-the-user-of-an-application";

/// User and password for the Sentinels, as the drivers take them.
type Access = (&'static str, &'static str);

fn no_lock(_: usize) -> Vec<String> {
    timing(PATIENT_MS, 10_000)
}

fn one_password(i: usize) -> Vec<String> {
    let mut lines = no_lock(i);
    lines.push(format!("requirepass {PASSWORD}"));
    lines
}

/// A user with no more than a client needs, spec 3.5.9, beside the password of Sentinels and administrators.
fn least_rights(i: usize) -> Vec<String> {
    let mut lines = one_password(i);
    let questions = ["get-master-addr-by-name", "master", "masters", "replicas", "slaves", "sentinels"];
    let questions: Vec<String> = questions.iter().map(|word| format!("+sentinel|{word}")).collect();
    lines.push(format!(
        "user app on >{APP_PASSWORD} allchannels -@all +hello +auth +ping +client|setname +subscribe +psubscribe \
         +unsubscribe +punsubscribe +info +role {}",
        questions.join(" ")
    ));
    lines
}

/// A fleet with something to read on every data server.
fn fleet(sentinel_lines: fn(usize) -> Vec<String>, access: Access) -> Fleet {
    let sentinel_password = (access.1 != "-").then(|| PASSWORD.to_owned());
    let fleet = Fleet::start(&Plan { sentinel_lines, sentinel_password, ..Plan::default() });
    let mut master = fleet.data[0].client();
    assert_eq!(master.call(&["SET", "seeded", "yes"]).expect("an answer"), Value::Simple("OK".into()));
    assert_eq!(master.call(&["WAIT", "2", "5000"]).expect("an answer"), Value::Int(2));
    fleet
}

/// Starts all drivers and waits until each writes, and listens for switches if it does that.
fn start_drivers(fleet: &Fleet, access: Access) -> Vec<Driver> {
    let ports: Vec<u16> = fleet.sentinels.iter().map(|s| s.port).collect();
    let start = |library| Driver::start(&fleet.world, library, access, &ports);
    let mut drivers: Vec<Driver> = Library::all().into_iter().map(start).collect();
    drivers.iter_mut().for_each(|driver| driver.wait_step("writing"));
    // This library tries a Sentinel that is dead for seconds before it turns to the next.
    let listeners = drivers.iter_mut().filter(|driver| matches!(driver.library, Library::Python(_)));
    listeners.for_each(|driver| driver.wait_step("listening"));
    drivers
}

/// Lets a driver search until it finds this master and exactly these replicas, and reads from one of them.
fn expect_found(fleet: &Fleet, driver: &mut Driver, master: usize, replicas: &[usize]) {
    let mut ports: Vec<u16> = replicas.iter().map(|i| fleet.data[*i].port).collect();
    ports.sort_unstable();
    let right = |found: &Json| {
        let reader = found["read_from"].as_u64().and_then(|port| u16::try_from(port).ok());
        found["master"] == fleet.data[master].port
            && found["replicas"] == json!(ports)
            && reader.is_some_and(|port| ports.contains(&port))
            && found["read"] == "yes"
    };
    let mut found = Json::Null;
    let name = driver.library.name();
    let answers = ["found", "not-found"];
    // A library may go on for a while with what it heard before.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while !right(&found) {
        assert!(
            std::time::Instant::now() < limit,
            "{name}: master data{master}, replicas {ports:?}: {found}"
        );
        found = driver.ask("find", &answers);
    }
}

/// The number a driver wrote last, according to a data server.
fn written(fleet: &Fleet, node: usize, driver: &Driver) -> u64 {
    let value = fleet.data[node].call(&["GET", &driver.library.name()]);
    value.text().parse().unwrap_or(0)
}

/// What must be true of every client after the master has moved; ends the drivers.
fn expect_followed(fleet: &Fleet, drivers: &mut [Driver], new: usize, replicas: &[usize], how: &str) {
    for driver in drivers {
        let before = written(fleet, new, driver);
        wait_for(&format!("more writes of {driver:?} on data{new}"), 60, || {
            driver.assert_alive();
            written(fleet, new, driver) > before + 10
        });
        expect_found(fleet, driver, new, replicas);
        if matches!(driver.library, Library::Python(_)) {
            let switches: Vec<Json> = driver.steps("switch").iter().map(|s| s["payload"].clone()).collect();
            assert_eq!(switches, [json!(fleet.switch_text(0, new))], "{driver:?}");
        }
        let end = driver.stop();
        let (last, accepted) = (written(fleet, new, driver), end["written"].as_u64().unwrap_or(0));
        // A last write may have been carried out although its answer was lost.
        assert!(last == accepted || last == accepted + 1, "{driver:?}: {last} on data{new}");
        report(driver, how);
    }
}

/// Tells how long a client could not write, whether the test passes or not.
fn report(driver: &Driver, how: &str) {
    let gaps = driver.steps("gap");
    let gap = gaps.iter().max_by_key(|gap| gap["ms"].as_u64());
    let told = gap.map_or("no gap".to_owned(), |gap| format!("{} ms, {} refused", gap["ms"], gap["refused"]));
    let reopened = match driver.steps("reopened").len() {
        0 => String::new(),
        times => format!(", opened anew: {times}"),
    };
    writeln!(std::io::stderr(), "    {how}: {:<16} {told}{reopened}", driver.library.name())
        .expect("standard error");
}

fn follow_a_killed_master(lines: fn(usize) -> Vec<String>, access: Access, first_is_dead: bool) {
    let mut fleet = fleet(lines, access);
    if first_is_dead {
        fleet.sentinels[0].kill9();
    }
    let mut drivers = start_drivers(&fleet, access);
    drivers.iter_mut().for_each(|driver| expect_found(&fleet, driver, 0, &[1, 2]));
    fleet.data[0].kill9();
    let new = fleet.wait_failover(0);
    expect_followed(&fleet, &mut drivers, new, &[3 - new], "the master was killed");
    for driver in &drivers {
        assert!(!driver.steps("gap").is_empty(), "{driver:?} never noticed that its master was dead");
    }
}

#[test]
fn clients_follow_a_killed_master_though_the_first_sentinel_is_dead() {
    follow_a_killed_master(no_lock, ("-", "-"), true);
}

#[test]
fn clients_with_the_least_rights_follow_a_killed_master() {
    follow_a_killed_master(least_rights, ("app", APP_PASSWORD), false);
}

#[test]
fn clients_with_a_password_follow_a_planned_failover() {
    let access = ("-", PASSWORD);
    let fleet = fleet(one_password, access);
    let mut drivers = start_drivers(&fleet, access);
    drivers.iter_mut().for_each(|driver| expect_found(&fleet, driver, 0, &[1, 2]));
    let started = fleet.sentinels[1].call(&["SENTINEL", "FAILOVER", support::fleet::NAME]);
    assert_eq!(started, Value::Simple("OK".into()));
    let new = fleet.wait_failover(0);
    fleet.wait_follows(0, new);
    expect_followed(&fleet, &mut drivers, new, &[0, 3 - new], "the master was moved");
}
