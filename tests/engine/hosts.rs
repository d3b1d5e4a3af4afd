//! Instances that are known by name: which form is shown to whom, and when two names mean the same (spec 2 §1.2, §12).

use sentineld::conf::Settings;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab_with};
use crate::stub::replica_info;

/// A master and two replicas known by name, and a peer by address.
fn by_name(announce: bool) -> impl Fn(&mut Settings) {
    move |settings| {
        settings.sentinel.resolve_hostnames = true;
        settings.sentinel.announce_hostnames = announce;
        let master = &mut settings.masters[0];
        master.host = "db.example".into();
        master.replicas = vec![("r1.example".into(), 6001), ("r2.example".into(), 6002)];
        master.client_reconfig_script = Some("/script".into());
        master.quorum = 2;
    }
}

fn failed_over(announce: bool) -> Lab {
    let mut lab = lab_with(2, 1, by_name(announce));
    lab.stub(5001).down = true;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    lab.run(100);
    lab
}

fn names(lab: &mut Lab) -> Vec<(String, String)> {
    match lab.ask(SentinelCommand::Replicas(MASTER.into())) {
        Answer::Replicas(views) => {
            views.into_iter().map(|view| (view.instance.name, view.instance.host)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn everybody_is_told_the_form_that_is_announced() {
    for (announce, master, first, second) in
        [(true, "db.example", "r1.example", "r2.example"), (false, "127.0.0.1", "127.0.0.1", "127.0.0.1")]
    {
        let mut lab = failed_over(announce);
        let said = |wanted: &str| lab.seen().into_iter().any(|text| text == wanted);
        assert!(said(&format!("+sdown master mymaster {master} 6000")), "{}", lab.history());
        assert!(said(&format!("+switch-master mymaster {master} 6000 {first} 6001")), "{}", lab.history());
        let replica = format!("+slave slave {second}:6002 {second} 6002 @ mymaster {first} 6001");
        assert!(said(&replica), "{}", lab.history());
        assert_eq!(lab.scripts[0].1[4..], [master, "6000", first, "6001"], "the script");
        let to = |port: u16, wanted: &dyn Fn(&Request) -> bool| lab.asked_of(port, wanted);
        let asks =
            to(5001, &|request| matches!(request, Request::IsMasterDown { host, .. } if host == master));
        assert_ne!(asks, 0, "a question");
        let told = Request::ReplicaOf(Some((first.into(), 6001)));
        assert_eq!(to(6002, &|request| *request == told), 1, "SLAVEOF");
        let hellos =
            to(5001, &|request| matches!(request, Request::Publish(hello) if hello.master_host == first));
        assert_ne!(hellos, 0, "gossip");
        let saved = &lab.saved.masters[0];
        assert_eq!((saved.host.as_str(), saved.port), (first, 6001), "the file");
        let address = lab.ask(SentinelCommand::GetMasterAddr(MASTER.into()));
        assert_eq!(address, Answer::MasterAddress(Some((first.into(), 6001))));
    }
}

#[test]
fn a_replica_may_call_its_master_by_name() {
    for (host, stray) in [("db.example", false), ("DB.Example", false), ("127.0.0.1", false), ("other", true)]
    {
        let mut lab = lab_with(1, 0, by_name(true));
        lab.stub(6001).info = Some(replica_info(6001, 6000, "").replace("127.0.0.1", host));
        lab.run(3_000);
        lab.mark();
        lab.run(40_000);
        assert_eq!(lab.count("+fix-slave-config") > 0, stray, "{host}: {}", lab.history());
    }
}

#[test]
fn who_is_known_stays_known_when_the_announced_form_changes() {
    let mut lab = lab_with(2, 0, by_name(true));
    lab.run(3_000);
    lab.mark();
    let listed = "role:master\r\nslave0:ip=r1.example,port=6001,state=online\r\n\
                  slave1:ip=127.0.0.1,port=6002,state=online\r\n";
    lab.stub(6000).info = Some(format!("run_id:{:040x}\r\n{listed}", 6000));
    for value in ["no", "yes", "no"] {
        let pair = ("announce-hostnames".to_owned(), value.as_bytes().to_vec());
        assert_eq!(lab.ask(SentinelCommand::ConfigSet(vec![pair])), Answer::Ok);
        lab.run(11_000);
    }
    assert_eq!(lab.count("+slave"), 0, "{}", lab.history());
    let shown = ("r1.example:6001".to_owned(), "127.0.0.1".to_owned());
    assert_eq!(names(&mut lab)[0], shown, "its name is that of its first day");
}
