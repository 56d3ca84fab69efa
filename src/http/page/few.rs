//! Few things put into order. The sort of the standard library is quick for many, and 3 KB of the program for each
//! kind of thing that it sorts; a page has at most some hundred of each.

/// Puts them into order, in steps that grow with the square of their number.
pub(super) fn sort_few<T>(items: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    for next in 1..items.len() {
        let mut at = next;
        while at > 0 && is_before(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_come_in_order_and_what_is_the_same_stays_as_it_was(items: Vec<(u8, u8)>) {
            let (mut few, mut many) = (items.clone(), items);
            sort_few(&mut few, |a, b| a.0 < b.0);
            many.sort_by_key(|item| item.0);
            prop_assert_eq!(few, many);
        }
    }
}
