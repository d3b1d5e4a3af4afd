//! **When a partition ends all agree soon**: whoever was cut off names the master of the majority to its clients, and the old master follows it.

use super::*;

/// How long the partition lasts, in milliseconds: connections survive the first, and hardly any the last.
const LASTS: [u64; 3] = [5_000, 20_000, 60_000];
/// From its end to everybody's agreement. What was on its way is sent again within 400 ms.
const AGREED: u64 = 1_000;
/// From the agreement until the old master follows.
const FOLLOWS: u64 = 1_000;

/// Nothing gets from one group of machines to the other, nor back.
fn separate(world: &mut World, few: &[usize]) {
    let all: Vec<_> = (0..world.home).collect();
    let machines = |nodes: &[usize]| nodes.iter().map(|node| world.machine(*node)).collect::<Vec<_>>();
    let (here, there): (Vec<usize>, Vec<usize>) = all.into_iter().partition(|node| few.contains(node));
    let (mut here, mut there) = (machines(&here), machines(&there));
    here.push(*server(0).ip());
    there.extend(world.servers.keys().filter(|address| **address != server(0)).map(|address| *address.ip()));
    for (a, b) in here.iter().flat_map(|a| there.iter().map(move |b| (*a, *b))) {
        world.net.cut(a, b);
        world.net.cut(b, a);
    }
}

#[test]
fn who_was_cut_off_with_the_old_master_agrees_soon_after() {
    let mut worst = Vec::new();
    for (sentinels, few) in [(3, vec![0]), (5, vec![1, 3])] {
        for lasts in LASTS {
            let longest = std::sync::Mutex::new((0, 0));
            for_seeds(|seed| {
                let mut world = healthy(seed, sentinels, 2);
                separate(&mut world, &few);
                pass(&mut world, lasts);
                let new = promoted(&world).expect("the majority has a new master");
                assert!(!all_agree(&world, new), "the others can't know");
                for (from, to) in world.net.cuts() {
                    world.heal(from, to);
                }
                let agreed = takes(&mut world, "agreement", AGREED, |world| all_name(world, new));
                let well = takes(&mut world, "all is well", FOLLOWS, |world| well(world) == Some(new));
                let mut longest = longest.lock().expect("no panic here");
                *longest = (longest.0.max(agreed), longest.1.max(well));
            });
            worst.push((sentinels, lasts, longest.into_inner().expect("no panic above")));
        }
    }
    eprintln!("Sentinels, partition, longest until agreement and following: {worst:?}");
}
