//! A generational slab: ids stay cheap to copy, and an id of something removed finds nothing.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// Values of type `T`, found by ids of type `K`.
#[derive(Clone, Debug)]
pub struct Slab<K, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
    ids: PhantomData<K>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<K, T> Default for Slab<K, T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new(), len: 0, ids: PhantomData }
    }
}

impl<K, T> Slab<K, T>
where
    K: From<(u32, u32)> + Into<(u32, u32)> + Copy,
{
    /// Adds the value that `make` builds around its own id.
    pub fn insert_with(&mut self, make: impl FnOnce(K) -> T) -> K {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 instances")
        });
        let slot = &mut self.slots[index as usize];
        let id = K::from((index, slot.generation));
        slot.value = Some(make(id));
        self.len += 1;
        id
    }

    /// Removes a value; its id finds nothing from now on.
    pub fn remove(&mut self, id: K) -> Option<T> {
        let (index, generation) = id.into();
        let slot = self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        self.len -= 1;
        Some(value)
    }

    /// The value, if the id is live.
    pub fn get(&self, id: K) -> Option<&T> {
        let (index, generation) = id.into();
        self.slots.get(index as usize).filter(|slot| slot.generation == generation)?.value.as_ref()
    }

    /// The value, if the id is live.
    pub fn get_mut(&mut self, id: K) -> Option<&mut T> {
        let (index, generation) = id.into();
        self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation)?.value.as_mut()
    }

    /// All values with their ids, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = K::from((u32::try_from(index).ok()?, slot.generation));
            slot.value.as_ref().map(|value| (id, value))
        })
    }

    /// All values, in slot order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.len
    }
}

impl<K, T> Index<K> for Slab<K, T>
where
    K: From<(u32, u32)> + Into<(u32, u32)> + Copy,
{
    type Output = T;

    fn index(&self, id: K) -> &T {
        self.get(id).expect("only live ids are used to index")
    }
}

impl<K, T> IndexMut<K> for Slab<K, T>
where
    K: From<(u32, u32)> + Into<(u32, u32)> + Copy,
{
    fn index_mut(&mut self, id: K) -> &mut T {
        self.get_mut(id).expect("only live ids are used to index")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LinkId;

    #[test]
    fn a_reused_slot_is_not_found_by_the_old_id() {
        let mut slab: Slab<LinkId, &str> = Slab::default();
        let first = slab.insert_with(|_| "first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert_with(|_| "second");
        assert_eq!(first.index, second.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab[second], "second");
        assert_eq!((slab.count(), slab.iter().count()), (1, 1));
    }
}
