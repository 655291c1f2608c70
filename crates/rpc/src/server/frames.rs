//! Cuts lists into messages.

use crate::FRAME_BYTES;
use service_api::Result;

/// Messages of about 1 MiB with the items in turn; one at least. `make` gets the head for the first
/// of them, the items, and whether it is the last.
pub fn list_frames<H, T, M>(
    head: H,
    items: impl IntoIterator<Item = T>,
    size: impl Fn(&T) -> usize,
    make: impl Fn(Option<H>, Vec<T>, bool) -> M,
) -> impl Iterator<Item = Result<M>> {
    let (mut head, mut items) = (Some(head), Some(items.into_iter().peekable()));
    std::iter::from_fn(move || {
        let rest = items.as_mut()?;
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES
            && let Some(item) = rest.next()
        {
            bytes += size(&item);
            taken.push(item);
        }
        let last = rest.peek().is_none();
        if last {
            items = None;
        }
        Some(Ok(make(head.take(), taken, last)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::reader::Head;

    fn cut(items: Vec<usize>) -> Vec<(bool, Vec<usize>, bool)> {
        let make = |head: Option<Head>, items, last| (head.is_some(), items, last);
        list_frames(Head::default(), items, |size| *size, make).map(Result::unwrap).collect()
    }

    #[test]
    fn the_first_has_the_head_and_the_last_says_so() {
        assert_eq!(cut(vec![]), [(true, vec![], true)]);
        assert_eq!(cut(vec![1, 2]), [(true, vec![1, 2], true)]);
        let half = FRAME_BYTES / 2;
        assert_eq!(cut(vec![half, half, half]), [(true, vec![half, half], false), (false, vec![half], true)]);
    }
}
