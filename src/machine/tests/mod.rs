//! Tables of what the machine decides: given records and events, when an event at t, then records, status
//! and alerts. The faults of a monitor that overdue wants to replace, each by a test named for its symptom:
//!
//! | fault | test |
//! |---|---|
//! | B1 a webhook is signed over another body than it sends | `deliver`: `a_delivery_is_signed_and_keeps_its_id_over_attempts`; here `every_attempt_carries_the_same_id_and_payload` |
//! | B2 down, start, plain ping stays down; later outages are silent | `down_then_start_then_plain_ping_resolves`, `the_first_alert_and_every_later_one_fires` |
//! | B3 a silenced alert is never told | no silences here; a pause: `a_pause_that_ends_watches_again` |
//! | B4 a ping and the deadline checker overwrite each other | `a_ping_one_millisecond_before_the_deadline_is_in_time`, `a_slow_body_holds_its_own_deadline_and_no_other` |
//! | B5 a client that gives up leaves half a ping | one record for the whole of a ping: `a_ping_is_one_record`; `http`: `a_client_that_hangs_up_in_the_middle_leaves_a_whole_ping`; `tests/it`: `a_client_that_hangs_up_anywhere_leaves_a_whole_ping_or_none` |
//! | B6 a heartbeat that was never pinged has no deadline | `a_heartbeat_that_was_never_pinged_alerts` |
//! | B7 after a downtime everything alerts at once | `a_restart_storm_opens_no_incident_when_jobs_ping_again` |
//! | B8 a failing exit code is announced as missed | `a_failing_exit_code_is_not_called_missed` |
//! | B9 a failing exit code leaves the status up | `a_failing_exit_code_is_not_called_missed` |
//! | B10 starts without a finish put the deadline off for ever | `a_job_that_starts_every_ten_minutes_and_never_finishes_alerts`, `a_hung_run_alerts_after_max_runtime` |
//! | B11 overlapping runs close each other | `overlapping_runs_do_not_close_each_other`, `a_late_finish_belongs_to_its_own_run` |
//! | B12 any ping ends a pause | `pause_survives_a_ping` |
//! | B13 resuming says up, and leaves the alert open | `resuming_what_was_never_pinged_is_new`, `pausing_resolves_the_incident` |
//! | B14 another interval does not move the deadline | `a_shorter_interval_moves_the_deadline_but_does_not_alert` |
//! | B15 deleting leaves the alert open, and the heartbeat answers on | `deleting_resolves_the_incident`, `what_was_removed_takes_no_ping` |
//! | B16 durations are wrong by up to a second | `duration_is_exact_to_the_millisecond` |
//! | B17 one long outage counts once | `one_long_outage_counts_every_period` |
//! | B18 uptime counts pings, not runs | `days_count_what_the_journal_tells`, `a_period_that_failed_counts_once_however_often_it_was_tried`; runs are counted once: `a_start_and_its_finish_are_one_run` |
//! | B19 a chart draws failures as late and pings without a start nowhere | `cli`: the chart draws outcomes; `a_lone_finish_is_a_run_without_duration` |
//! | B20 a full alert queue blocks pings, and a restart loses it | `what_waits_is_due_at_once_after_a_restart_with_the_same_id` |
//! | B21 the head of a body is kept, and a character cut in two | `model::ping`: `a_body_is_shown_by_its_tail_without_half_characters`; `http`: `a_body_is_kept_by_its_tail_whatever_its_type` |
//! | B22 X-Forwarded-For is believed from anyone | `http`: `x_forwarded_for_is_believed_only_from_a_trusted_proxy` |
//! | B23 redirects are followed, addresses checked only at save time | `deliver`: `a_redirect_is_not_followed`; addresses come from the config alone |
//! | B24 two styles of errors, bad limits ignored | `http`: `every_error_has_one_shape` |

mod blind;
mod clocks;
mod delivery;
mod desk;
mod incident;
mod pings;
mod readings;
mod reload;
mod requests;
mod retries;
mod runs;
mod steps;
mod survey;
