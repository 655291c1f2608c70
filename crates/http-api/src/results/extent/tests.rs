//! What of a kept result is used, and how it is put together with what is computed.

use super::*;
use model::{Labels, TenantId};

fn steps(start: i64, count: usize) -> Steps {
    Steps { start, interval: 10, count }
}

fn row(name: &str, values: &[f64]) -> Row {
    let values = values.iter().map(|v| if *v < 0.0 { absent() } else { *v }).collect();
    Row::floats(Labels::from_pairs([("n", name)]), values)
}

fn extent(rows: Vec<Row>) -> Extent {
    Extent::new(steps(100, 4), rows, DataVersion::default())
}

#[test]
fn steps_before_a_change_are_usable() {
    let kept = extent(vec![]);
    for (start, count, changed, expected) in [
        (100, 4, None, 4),
        (100, 9, None, 4),
        (120, 9, None, 2),
        (120, 1, None, 1),
        (140, 2, None, 0),
        (200, 2, None, 0),
        (90, 9, None, 0),
        (100, 4, Some(130), 3),
        (100, 4, Some(131), 4),
        (100, 4, Some(100), 0),
        (100, 4, Some(i64::MIN), 0),
        (100, 4, Some(i64::MAX), 4),
        (110, 4, Some(121), 2),
        (i64::MIN, 4, None, 0),
    ] {
        assert_eq!(kept.usable(steps(start, count), changed), expected, "{start} {count} {changed:?}");
    }
}

#[test]
fn a_change_moves_by_what_lies_ahead_of_a_step() {
    assert_eq!(earliest_step(100, Reach { back: 50, ahead: 0 }, 1), 100);
    assert_eq!(earliest_step(100, Reach { back: 50, ahead: 20 }, 1), 80);
    assert_eq!(earliest_step(100, Reach { back: 50, ahead: -20 }, 1_000_000), 100_000_020);
    assert_eq!(earliest_step(i64::MIN, Reach { back: 0, ahead: 5 }, 1_000_000), i64::MIN);
}

#[test]
fn rows_are_put_together_by_their_labels() {
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 20);
    let kept = extent(vec![
        row("a", &[1.0, 2.0, 3.0, 4.0]),
        row("c", &[1.0, -1.0, -1.0, 4.0]),
        row("d", &[-1.0, 2.0, 9.0, 9.0]),
    ]);
    let computed = vec![row("a", &[7.0, -1.0]), row("b", &[-1.0, 8.0]), row("c", &[9.0, 9.0])];
    let spliced = kept.splice(steps(110, 4), 2, computed, &ctx).unwrap();
    let text = |row: &Row| {
        format!(
            "{} {:?}",
            row.labels.get("n").unwrap(),
            row.values.iter().map(|v| *v as i64).collect::<Vec<_>>()
        )
    };
    assert_eq!(
        spliced.rows.iter().map(text).collect::<Vec<_>>(),
        ["a [2, 3, 7, 0]", "b [0, 0, 0, 8]", "c [0, 0, 9, 9]", "d [2, 9, 0, 0]"]
    );
    assert!(spliced.rows.iter().all(|row| row.values.len() == 4 && row.has_values()));
    assert!(ctx.budget.used() >= 4 * 4 * 8);
    // A series whose values are all before the range is no more there.
    assert_eq!(kept.splice(steps(110, 2), 2, vec![], &ctx).unwrap().rows.len(), 2);
    drop(spliced);
    assert_eq!(ctx.budget.used(), 0);
    let poor = ReadContext::new(TenantId::anonymous(), 50);
    assert!(kept.splice(steps(110, 2), 2, vec![], &poor).is_err());
}
