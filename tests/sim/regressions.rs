//! Seeds that once found something: name, seed, and what it was. They are run for ever.
//!
//! A seed means the same run only as long as the simulator draws the same numbers in the same order; a change of the simulator makes
//! it just another seed. What it found belongs into a scenario as well.

/// Seeds that find something still, and what is known of it (docs/SIMULATOR.md, "Open findings"): left out of the fixed seeds, and run by themselves.
pub const OPEN: &[(u64, &str)] = &[
    (
        883,
        "a master is held for down 25 ms before its down-after is over, after a freeze that followed its address",
    ),
    (4300, "a Sentinel that was set up anew and cut off believes nobody about the master of meanwhile"),
    (
        9401,
        "a Sentinel of the neighbours counts as a voter of ours, and one of ours is broken: no majority confirms a demotion",
    ),
];

pub const REGRESSIONS: &[(&str, u64, &str)] = &[
    (
        "monitored again, second vote",
        168,
        "a Sentinel voted twice in the epoch in which its master was removed and monitored again",
    ),
    (
        "monitored again, two leaders",
        52,
        "two leaders of one epoch, one of which had been told to monitor the master again",
    ),
    (
        "monitored again, two addresses",
        361142318732184,
        "two addresses under one configuration epoch, by the same Sentinel",
    ),
    ("saved, and not known to be", 254, "a stopped process told of less than was on its disk"),
    (
        "an order that is too old",
        772,
        "SLAVEOF NO ONE was repeated beyond the ten seconds that an election is good for",
    ),
    (
        "alone after MONITOR",
        371363354050260,
        "who was told to monitor anew, and knew nobody yet, was taken for a second leader that an election allowed",
    ),
    (
        "reset and cut off",
        332,
        "a Sentinel that was reset while it was cut off distrusted its true peers for ever",
    ),
    ("two newcomers", 223, "new Sentinels agreed on the address in their files, and followed nobody"),
    (
        "two links to one server",
        372873452963175,
        "a replica that was set aside by a reset was still watched as one when it had become the master",
    ),
    (
        "new, and the master demoted",
        934,
        "a new Sentinel did not follow its own master to the one that it followed",
    ),
    ("led away", 1009, "a new Sentinel at an address that was given away led its fleet to the neighbours"),
    ("led to us", 482, "the neighbours knew a restarted Sentinel of ours, and followed it to our master"),
    (
        "the master's copy",
        907,
        "a master was made to follow its replica, whose data was not promoted afterwards",
    ),
    (
        "given away, and told at once",
        3392,
        "an address that had passed to the neighbours was re-pointed on the first connection, and promoted later",
    ),
    (
        "told apart too late",
        1366,
        "a new Sentinel promoted a replica, and re-pointed the neighbours' with the others before it compared them",
    ),
    (
        "an empty replica, copied",
        380000000004944,
        "nobody was promoted any more: the master had been made to follow its empty replica by hand, and was restarted before that was seen",
    ),
    (
        "copied, and led by who knows nobody",
        380000000006575,
        "the same, and a Sentinel that knew no replica was elected time and again",
    ),
    (
        "gone with whom it follows",
        380000000000477,
        "the master followed a server that was gone by hand, and only one without data was left to promote",
    ),
    (
        "all new",
        375468324370635,
        "all Sentinels were new, and knew each other and an address that was not the master's any more",
    ),
    (
        "two who never meet",
        380000000002717,
        "two Sentinels were given the master anew, and nothing led from one to the other",
    ),
    (
        "contradicted for ever",
        380000000008287,
        "two Sentinels were given two addresses of a master, both under epoch 0",
    ),
    (
        "a copy of what the neighbours have",
        380000000000246,
        "a replica of one that had become the neighbours' was promoted by a Sentinel that had not seen the master since it started",
    ),
    (
        "a replica that was followed has gone over",
        375468324375385,
        "a replica copied the neighbours' data from an old master whose address had passed to them, and was promoted",
    ),
    (
        "REMOVE saved, MONITOR lost",
        380000000001831,
        "the only Sentinel lost power between saving REMOVE and MONITOR: nobody knew where to monitor the master again",
    ),
    (
        "two promotions missed",
        380000000002092,
        "an old master with a replica that nobody knew was called another cluster's by a Sentinel that restarted",
    ),
    (
        "the master's copy, restarted",
        392000000001456,
        "a master followed its emptied replica by hand and restarted: nobody was promoted, as the replica's history was not the master's",
    ),
    (
        "judged too late",
        391000000001608,
        "one of the neighbours' that had reported before any history was known was re-pointed when another replica was promoted",
    ),
    (
        "elected by itself",
        380000000008190,
        "told to forget the master and to watch it again, a Sentinel was elected by its own vote, met the others, and promoted all the same",
    ),
    ("elected by itself, again", 380000000011433, "the same, by one vote of two"),
    (
        "a history of the day before",
        380000000010912,
        "a new master's last report before its promotion showed the neighbours' data, and so their servers were taken for ours",
    ),
    (
        "taken back in the same breath",
        380000000008903,
        "an opinion came late, together with the word that it was withdrawn; the property saw the second only",
    ),
    (
        "promoted, not saved",
        380000000014950,
        "the disk failed in the middle of a failover, and the property went by the file",
    ),
    (
        "merged by hand",
        380000000019928,
        "our master had copied the neighbours' data, and nothing told the two apart any more",
    ),
    (
        "the better one is the neighbours'",
        380000000019481,
        "the property compared the replica that was chosen with a server that had passed to another cluster",
    ),
    (
        "judged too late",
        391000000001608,
        "one of the neighbours' that had reported before any history was known was re-pointed when another replica was promoted",
    ),
    (
        "strangers by a replica's address",
        392000000002846,
        "a Sentinel whose master had been made a replica, and died, followed neighbours who greeted at a replica's address",
    ),
    (
        "nobody left to promote",
        392000000005693,
        "the neighbours had one replica, and the other stayed dead: recovery needs one of ours",
    ),
    (
        "chosen by its PONG",
        380000000002284,
        "a replica that was back was chosen by a report from before, and told although the new one spoke against it",
    ),
    (
        "frozen before the first contact",
        374072125716350,
        "a freeze took the rest of the time in which a new master is to be reached",
    ),
    (
        "frozen after it",
        380000000003405,
        "a master that could not be reached in time was given that time again by the property, after a freeze",
    ),
    (
        "two Sentinels at one address",
        380000000003491,
        "what a made-up Sentinel answered was held against the true one when the other was gone",
    ),
    (
        "set on a full disk",
        380000000000015,
        "the property went by the down-after in the file, which an operator's was not in yet",
    ),
    (
        "set while a refusal was awaited",
        375468324375188,
        "a shorter down-after holds for the silence before it, too",
    ),
    (
        "told to follow whom it follows",
        375468324370710,
        "a replica that was in step with the new master already counted as under way",
    ),
    (
        "the turn of one that was down",
        375468324372724,
        "who was told while it was down kept the next one waiting until something else happened",
    ),
    (
        "a circle, half of it by hand",
        393000000005319,
        "a replica was made to follow a master that had been made to follow it since the master's last report",
    ),
    (
        "two leaders by a shared epoch",
        391000000007548,
        "an epoch taken by an operator's word alone was shared with other masters, and so became known, and another was elected in it",
    ),
    (
        "a newcomer told otherwise",
        391000000005539,
        "a new Sentinel was told of an address that contradicted the others, all under epoch 0",
    ),
    (
        "given away when promoted",
        391000000007620,
        "the address of a replica that was being promoted passed to the neighbours",
    ),
    (
        "come over",
        391000000008809,
        "a server of the neighbours' was re-pointed before it could be known, copied our data, and was promoted later, to which liveness objected",
    ),
    (
        "greeted too soon",
        392000000012137,
        "a new Sentinel that knew a replica greeted at its master's address before it was told that this had passed to the neighbours",
    ),
    (
        "a master that nobody knows",
        380000000011534,
        "the master was started again as a replica of one that all Sentinels had been told to forget while it was dead: nobody was left to promote",
    ),
    (
        "known to one that is dead",
        380000000016835,
        "the same, with a Sentinel that knew the other master, and stayed dead",
    ),
    (
        "a stranger to the only one left",
        380000000013830,
        "who was away while the others were replaced, and whose master lost its data, believed nobody, as it must",
    ),
    (
        "in step with whom?",
        400000000007957,
        "a restarted Sentinel learnt the neighbours' history from a replica of theirs, whose master had the address in its file, and led all away",
    ),
    (
        "brought home the neighbours' data",
        400000000016538,
        "a replica that had copied the neighbours' was told to follow ours, and was promoted before it was in step",
    ),
    (
        "refused while stopped",
        400000000002743,
        "a process that was stopped never heard that a connection was refused, as nobody does to whom that happens",
    ),
    (
        "asked whenever somebody looked",
        400000000014995,
        "while a returned master was gone again, its successor was asked for INFO by whatever happened to have the rules run",
    ),
    (
        "named by who missed that it was joined",
        400000000016538,
        "the property held a promotion of the neighbours' against one that had missed that our own master had their data",
    ),
    (
        "recent no more",
        400000000030186,
        "a report that was young enough at the election was too old when another one had been waited for, and nobody had asked again",
    ),
    (
        "told of a replica",
        7467,
        "a failover by hand was lost in a crash, and the simulated operator told everybody of the address that it had been meant to lead to",
    ),
    (
        "told of a replica, again",
        400000000016682,
        "one Sentinel had the address of long ago from its file, and the simulated operator told the other, which knew better, the same",
    ),
    (
        "promoted before it was in step with the neighbours",
        400000000024648,
        "a Sentinel started while its master was down, and nothing told it that a server had just passed to the neighbours; liveness objected",
    ),
    ("asked whenever somebody looked, 2", 400000000023189, "the same as 400000000014995"),
    ("asked whenever somebody looked, 3", 400000000024415, "the same"),
    ("asked whenever somebody looked, 4", 400000000025494, "the same"),
    ("asked whenever somebody looked, 5", 400000000026928, "the same"),
    ("asked whenever somebody looked, 6", 400000000040477, "the same"),
    (
        "in step with whom, again",
        400000000035725,
        "the same as 400000000007957: a history learnt from who followed a stranger at the master's address",
    ),
    (
        "just too early",
        400000000056056,
        "a server was held for down milliseconds before its down-after was over; it passes since, by which of the changes was not traced",
    ),
    ("asked whenever somebody looked, 7", 400000000062039, "the same as 400000000014995"),
    ("asked whenever somebody looked, 8", 400000000069237, "the same"),
    (
        "not well in time",
        400000000066104,
        "the master of a cluster was not the one that was named, after everything healed; it passes since, by which of the changes was not traced",
    ),
];
