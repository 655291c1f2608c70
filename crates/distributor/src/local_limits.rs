//! What of a tenant's limit over all ingesters one of them may hold.

use service_api::Limits;

/// The limits that one ingester of `ingesters` holds a tenant to: those of series and streams are for all of them
/// together, and each series is held by `replication_factor` of them.
pub fn local_limits(limits: &Limits, replication_factor: usize, ingesters: usize) -> Limits {
    let local = |limit| local_limit(limit, replication_factor, ingesters, limits.ingestion_shard_size);
    Limits { max_series: local(limits.max_series), max_streams: local(limits.max_streams), ..limits.clone() }
}

/// The share of one ingester in a limit of all of them together; 0 is no limit.
///
/// As in Cortex `limit * replication factor / ingesters`, of the tenant's shard where it has one. Series do not
/// spread evenly: the share is larger by a tenth for what placement does, and by three standard deviations for
/// chance, so that a tenant below its limit is not refused anything.
pub fn local_limit(limit: u64, replication_factor: usize, ingesters: usize, shard_size: usize) -> u64 {
    let factor = replication_factor.max(1);
    let shard = if shard_size == 0 { ingesters } else { ingesters.min(shard_size.max(factor)) };
    if limit == 0 || shard <= factor {
        return limit; // each of them may have to hold all
    }
    let share = limit as f64 * factor as f64 / shard as f64;
    let local = (share * 1.1 + 3.0 * share.sqrt()).ceil();
    limit.min(local as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_room_for_chance_and_is_never_more_than_all() {
        assert_eq!(local_limit(0, 3, 30, 0), 0);
        assert_eq!(local_limit(100, 1, 1, 0), 100);
        assert_eq!(local_limit(100, 3, 3, 0), 100);
        assert_eq!(local_limit(100, 3, 2, 0), 100, "some are gone");
        assert_eq!(local_limit(100, 3, 0, 0), 100);
        assert_eq!(local_limit(1_000_000, 3, 30, 0), 110_949);
        assert_eq!(local_limit(1_000_000, 3, 30, 6), 552_122, "half of it on each of six");
        assert_eq!(local_limit(1_000_000, 3, 30, 1), 1_000_000, "a shard has at least three");
        assert_eq!(local_limit(10, 3, 30, 0), 5);
        assert_eq!(local_limit(1, 3, 300, 0), 1);
    }

    #[test]
    fn only_what_ingesters_hold_is_shared_out() {
        let limits = Limits { ingestion_rate: 5.0, ..Limits::default() };
        let local = local_limits(&limits, 3, 30);
        assert!(local.max_series < limits.max_series && local.max_streams < limits.max_streams);
        let back = Limits { max_series: limits.max_series, max_streams: limits.max_streams, ..local };
        assert_eq!(back, limits);
    }
}
