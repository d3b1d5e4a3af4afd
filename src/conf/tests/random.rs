//! Random texts: reading and writing never panic, and the laws of the rewrite hold for whatever loads.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::conf::sentinel::TABLE;
use crate::model::Epoch;

const WORDS: [&str; 30] = [
    "m",
    "n",
    "\"m n\"",
    "127.0.0.1",
    "::1",
    "db",
    "0",
    "1",
    "2",
    "6379",
    "99999999999",
    "-1",
    "yes",
    "no",
    "NO",
    "\"\"",
    "'it\\'s'",
    "\"\\xff\\x00\\n\"",
    "back\\slash",
    "a#b",
    "é",
    "/x.sh",
    "64mb",
    "5%",
    "debug",
    "normal 0 0 0",
    "pubsub 1mb 2mb 3",
    "unbalanced\"",
    "fe9105c4660008151db39102e4aa1dd1aa232e59",
    "\x0b",
];

fn random_line(rng: &mut StdRng) -> String {
    let names: Vec<&str> = directive::all().map(|row| row.name).filter(|name| *name != "dir").collect();
    let mut line = match rng.random_range(0..20) {
        0 => return String::new(),
        1 => return "  # a comment \r".to_owned(),
        2 => "user".to_owned(),
        3 => "include /part".to_owned(),
        4..=8 => (*names.choose(rng).expect("many")).to_owned(),
        9..=10 => {
            return format!(
                "sentinel monitor {} 127.0.0.1 {} 1",
                ["m", "n", "\"m n\""][rng.random_range(0..3)],
                rng.random_range(0..9)
            );
        }
        _ => {
            let row = TABLE.choose(rng).expect("many");
            format!("sentinel {}", row.names.choose(rng).expect("at least one"))
        }
    };
    for _ in 0..rng.random_range(0..5) {
        line += [" ", "\t", "  "][rng.random_range(0..3)];
        line += WORDS.choose(rng).expect("many");
    }
    line
}

/// A text of lines that can stand together: each is tried, and left out if it spoils the text.
fn random_valid_text(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(1..40) {
        let longer = format!("{text}{}\n", random_line(rng));
        if load_with(&[("/c", &longer), ("/part", PART)], &[]).is_ok() {
            text = longer;
        }
    }
    text
}

const PART: &str =
    "timeout 7\nsentinel monitor inc 127.0.0.1 7 1\nsentinel known-replica inc 127.0.0.1 8\nuser inc on";

#[test]
fn what_loads_is_written_and_loads_again() {
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(seed);
        let text = random_valid_text(&mut rng);
        let reload = |text: &[u8]| {
            let text = std::str::from_utf8(text).expect("made of text");
            load_with(&[("/c", text), ("/part", PART)], &[])
                .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"))
        };
        let settings = reload(text.as_bytes()).settings;
        let new = rewrite(text.as_bytes(), &settings);
        let again = reload(&new).settings;
        assert_eq!(
            again.masters,
            settings.masters,
            "seed {seed}:\n{text}\n{}",
            String::from_utf8_lossy(&new)
        );
        assert_eq!(again.sentinel, settings.sentinel, "seed {seed}");
        assert_eq!(again.server.generic, settings.server.generic, "seed {seed}");
        // Users next to a file for users are refused later; the rewrite leaves them to that file.
        if settings.server.acl_file.is_none() {
            assert_eq!(again.server.users, settings.server.users, "seed {seed}");
        }
        let second = rewrite(&new, &again);
        assert_eq!(rewrite(&second, &again), second, "seed {seed}");
    }
}

#[test]
fn any_bytes_are_survived() {
    for seed in 0..2000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = Vec::new();
        for _ in 0..rng.random_range(0..6) {
            text.extend_from_slice(random_line(&mut rng).as_bytes());
            text.extend((0..rng.random_range(0..4)).map(|_| rng.random::<u8>()));
            text.push(*b"\n\n\n \"\0".choose(&mut rng).expect("several"));
        }
        let mut host = FakeHost::new(&[("/part", PART)]);
        host.files.insert("/c".to_owned(), text.clone());
        let result = load(&mut host, Inputs { path: Some("/c"), ..Inputs::default() });
        let settings = result.map_or_else(
            |error| {
                assert!(error.to_string().contains("xpected"));
                Settings::default()
            },
            |loaded| loaded.settings,
        );
        let new = rewrite(&text, &settings);
        assert!(new.len() < text.len() + 4096);
    }
}

/// A change of a kind that the engine hands over.
fn random_patch(rng: &mut StdRng, settings: &Settings) -> Patch {
    let mut changes = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let known: Vec<&MasterSettings> = settings.masters.iter().collect();
        let fresh =
            MasterSettings::new(["m", "n", "m n", ""][rng.random_range(0..4)].into(), "h".into(), 1, 1);
        let mut master = known.choose(rng).map_or(fresh.clone(), |known| (*known).clone());
        if rng.random_range(0..4) == 0 {
            master = fresh;
        }
        match rng.random_range(0..7) {
            0 => changes.push(Change::RemoveMaster(master.name.clone())),
            1 => changes.push(Change::Users(vec!["default on".into(), "u off".into()])),
            2 => changes.push(Change::Sentinel(Box::new(SentinelSettings {
                current_epoch: Epoch(rng.random_range(0..9)),
                ..settings.sentinel.clone()
            }))),
            _ => {
                master.port = rng.random_range(1..9);
                master.leader_epoch = Epoch(rng.random_range(0..3));
                master.replicas = (0..rng.random_range(0..4)).map(|port| ("r".into(), port)).collect();
                changes.push(Change::Master(Box::new(master)));
            }
        }
    }
    Patch { changes }
}

#[test]
fn rewriting_what_changed_is_rewriting_all() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = random_valid_text(&mut rng).into_bytes();
        let loaded = load_with(&[("/c", std::str::from_utf8(&text).expect("text")), ("/part", PART)], &[]);
        let mut settings = loaded.expect("valid").settings;
        let mut draft = Draft::default();
        for step in 0..8 {
            if rng.random_range(0..5) == 0 {
                // Somebody edited the file.
                text.extend_from_slice(b"\n\n  # edited\ntimeout 9\nsentinel known-replica m h 77\n");
            }
            let patch = random_patch(&mut rng, &settings);
            settings.apply(&patch);
            draft.take_up(&text);
            draft.rewrite(&settings, &patch.masters().collect());
            let wanted = rewrite(&text, &settings);
            let (got, wanted) = (String::from_utf8_lossy(draft.text()), String::from_utf8_lossy(&wanted));
            assert_eq!(got, wanted, "seed {seed}, step {step}, {patch:?}");
            text = draft.text().to_vec();
        }
    }
}
