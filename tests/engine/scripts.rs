//! The queue of scripts: what is run, at most how many, how often again (spec 2 §10).

use sentineld::engine::{Input, ScriptExit};
use sentineld::model::{Epoch, ScriptId};
use sentineld::wire::{Answer, SentinelCommand};

use crate::lab::{Lab, MASTER, lab_with};

const EXIT: fn(i32, i32) -> ScriptExit = |code, signal| ScriptExit { code, signal };

fn noisy() -> Lab {
    lab_with(1, 0, |settings| {
        settings.masters[0].notification_script = Some("/notify".into());
        settings.sentinel.deny_scripts_reconfig = false;
    })
}

/// One warning-level event.
fn event(lab: &mut Lab) {
    let words = vec![b"quorum".to_vec(), b"1".to_vec()];
    lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
}

fn queue(lab: &mut Lab) -> Vec<(bool, u32)> {
    match lab.ask(SentinelCommand::PendingScripts) {
        Answer::PendingScripts(jobs) => {
            jobs.iter().map(|job| (job.running.is_some(), job.attempts)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn end(lab: &mut Lab, id: ScriptId, exit: ScriptExit) {
    lab.feed(Input::ScriptExited(id, exit));
}

/// Ends whatever runs already (the event of the start).
fn quiet() -> Lab {
    let mut lab = noisy();
    for (id, _) in std::mem::take(&mut lab.scripts) {
        end(&mut lab, id, EXIT(0, 0));
    }
    assert!(queue(&mut lab).is_empty());
    lab.mark();
    lab
}

#[test]
fn warnings_are_told_to_the_script_and_lesser_events_are_not() {
    let mut lab = quiet();
    event(&mut lab);
    let argv = ["/notify", "+set", "master mymaster 127.0.0.1 6000 quorum 1"];
    assert_eq!(lab.scripts[0].1, argv);
    assert_eq!(queue(&mut lab).len(), 1);
    lab.hello(1, 0, 6000, 0);
    assert_eq!(lab.scripts.len(), 1, "+sentinel is no warning");
}

#[test]
fn an_epoch_and_a_vote_are_told_for_the_sake_of_their_master() {
    let mut lab = quiet();
    lab.hello(1, 3, 6000, 0);
    lab.ask(SentinelCommand::IsMasterDown {
        host: "127.0.0.1".into(),
        port: 6000,
        epoch: Epoch(4),
        candidate: Some("somebody".into()),
        asker: None,
    });
    let told: Vec<&[String]> = lab.scripts.iter().map(|(_, argv)| &argv[1..]).collect();
    assert_eq!(told, [["+new-epoch", "3"], ["+new-epoch", "4"], ["+vote-for-leader", "somebody 4"]]);
}

#[test]
fn sixteen_run_and_256_wait_at_most() {
    let mut lab = quiet();
    for _ in 0..300 {
        event(&mut lab);
    }
    assert_eq!(lab.scripts.len(), 16);
    assert_eq!(queue(&mut lab).len(), 256);
    let first = lab.scripts[0].0;
    end(&mut lab, first, EXIT(0, 0));
    assert_eq!(lab.scripts.len(), 17, "the next takes its place at once");
}

#[test]
fn a_script_that_asks_for_it_is_tried_ten_times_at_growing_distance() {
    for exit in [EXIT(1, 0), EXIT(0, 15)] {
        let mut lab = quiet();
        event(&mut lab);
        let id = lab.scripts[0].0;
        let mut delay = 30_000;
        for attempt in 1..10 {
            lab.feed(Input::ScriptStarted(id, Some(77)));
            end(&mut lab, id, exit);
            assert_eq!(queue(&mut lab), [(false, attempt)]);
            lab.run(delay - 1);
            assert_eq!(lab.scripts.len(), attempt as usize, "not before its time");
            lab.run(2);
            assert_eq!(lab.scripts.len(), attempt as usize + 1);
            delay *= 2;
        }
        end(&mut lab, id, exit);
        assert!(queue(&mut lab).is_empty());
        let expected = format!("-script-error /notify {} {}", exit.signal, exit.code);
        assert_eq!(lab.seen().last(), Some(&expected.as_str()));
    }
}

#[test]
fn other_failures_are_final() {
    let mut lab = quiet();
    event(&mut lab);
    let id = lab.scripts[0].0;
    end(&mut lab, id, EXIT(3, 0));
    assert!(queue(&mut lab).is_empty());
    assert_eq!(lab.count("-script-error /notify 0 3"), 1);
    end(&mut lab, id, EXIT(3, 0));
    assert_eq!(lab.count("-script-error"), 1, "a late fact about a job that is gone");
}

#[test]
fn a_script_that_can_not_be_started_is_tried_again_soon_and_for_ever() {
    let mut lab = quiet();
    event(&mut lab);
    let id = lab.scripts[0].0;
    for _ in 0..30 {
        lab.feed(Input::ScriptStarted(id, None));
        assert_eq!(queue(&mut lab), [(false, 0)]);
        lab.run(101);
    }
    assert_eq!(lab.count("-script-error /notify 99 0"), 30);
}

#[test]
fn what_runs_has_a_process() {
    let mut lab = quiet();
    event(&mut lab);
    let id = lab.scripts[0].0;
    let running = |lab: &mut Lab| match lab.command(sentineld::wire::Command::Info, &[]) {
        Some(Answer::Info(view)) => (view.running_scripts, view.scripts_queue_length),
        other => panic!("{other:?}"),
    };
    assert_eq!((queue(&mut lab), running(&mut lab)), (vec![(false, 0)], (0, 1)), "being started");
    lab.feed(Input::ScriptStarted(id, Some(77)));
    assert_eq!((queue(&mut lab), running(&mut lab)), (vec![(true, 1)], (1, 1)));
}

#[test]
fn a_script_that_runs_too_long_is_killed() {
    let mut lab = quiet();
    event(&mut lab);
    let id = lab.scripts[0].0;
    lab.feed(Input::ScriptStarted(id, Some(77)));
    lab.run(60_000);
    assert!(lab.killed_scripts.is_empty());
    lab.run(2);
    assert_eq!((lab.killed_scripts.len(), lab.count("-script-timeout /notify 77")), (1, 1));
    end(&mut lab, id, EXIT(0, 9));
    assert_eq!(queue(&mut lab), [(false, 1)], "killed by a signal: once more");
}

#[test]
fn events_of_the_process_are_told_to_no_script() {
    let mut lab = quiet();
    lab.freeze(2_001);
    assert_eq!(lab.names(), ["+tilt", "-tilt"]);
    assert!(lab.scripts.is_empty(), "{:?}", lab.scripts);
    event(&mut lab);
    let id = lab.scripts[0].0;
    end(&mut lab, id, EXIT(2, 0));
    assert_eq!((lab.count("-script-error"), lab.scripts.len()), (1, 1), "nor is the failure of one");
}

#[test]
fn replicas_and_peers_wake_the_script_of_their_master_alone() {
    let mut lab = lab_with(1, 1, |settings| {
        let mut other = settings.masters[0].clone();
        other.name = sentineld::model::MasterName::from("other");
        other.port = 6500;
        other.replicas.clear();
        other.peers.clear();
        other.down_after = std::time::Duration::from_secs(3_600);
        settings.masters.push(other);
        settings.masters[0].notification_script = Some("/first".into());
        settings.masters[1].notification_script = Some("/second".into());
    });
    lab.run(3_000);
    lab.scripts.clear();
    lab.mark();
    for port in [6001, 5001] {
        lab.kill(port);
    }
    lab.run(2_000);
    let told: Vec<String> = lab.scripts.iter().map(|(_, argv)| argv.join(" ")).collect();
    let expected: Vec<String> = lab.seen().into_iter().map(|event| format!("/first {event}")).collect();
    assert_eq!((told.len(), &told), (2, &expected));
}

#[test]
fn the_oldest_that_waits_makes_room() {
    let mut lab = quiet();
    for quorum in 1..=300 {
        let words = vec![b"quorum".to_vec(), quorum.to_string().into_bytes()];
        lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
    }
    let Answer::PendingScripts(jobs) = lab.ask(SentinelCommand::PendingScripts) else { panic!("a list") };
    let quorums: Vec<&str> = jobs.iter().map(|job| job.argv[2].rsplit(' ').next().expect("a word")).collect();
    let (running, waiting) = quorums.split_at(16);
    assert_eq!((running[0], running[15]), ("1", "16"), "those that run stay");
    assert_eq!((waiting[0], waiting[239]), ("61", "300"));
}

#[test]
fn times_of_scripts_are_tunable_and_an_end_by_itself_is_no_failure() {
    let mut lab = quiet();
    let words =
        ["script-max-runtime", "200", "script-retry-delay", "100"].map(|word| word.as_bytes().to_vec());
    assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
    event(&mut lab);
    let id = lab.scripts[0].0;
    lab.feed(Input::ScriptStarted(id, Some(77)));
    lab.run(202);
    assert_eq!(lab.count("-script-timeout /notify 77"), 1);
    lab.run(300);
    assert!(lab.count("-script-timeout /notify 77") >= 3, "again and again until it is gone");
    end(&mut lab, id, EXIT(0, 9));
    lab.run(101);
    assert_eq!(lab.scripts.len(), 2);
    end(&mut lab, id, EXIT(0, 0));
    assert_eq!(lab.count("-script-error"), 0);
    assert!(queue(&mut lab).is_empty());
}
