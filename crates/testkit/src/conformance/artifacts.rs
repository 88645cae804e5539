//! What every place for logs must do, by situation: [`branchline_ports::Artifacts`] in examples.

mod appends;
mod deletes;
mod log;
mod objects;
mod reads;

pub use appends::*;
pub use deletes::*;
pub use objects::*;
pub use reads::*;

/// Makes each situation a test of a place for logs. Takes an expression that opens a new, empty one and answers it
/// together with what must outlive it.
#[macro_export]
macro_rules! artifacts_conformance {
    ($open:expr) => {
        $crate::conform! { artifacts, $open;
            a_log_that_nothing_was_appended_to_reads_as_empty
            bytes_come_back_as_they_were_appended
            appending_again_changes_nothing
            an_overlapping_append_adds_only_what_is_new
            an_append_beyond_the_end_is_a_gap
            a_closed_log_takes_nothing_more
            closing_twice_is_closing_once
            an_empty_log_can_be_closed
            attempts_have_logs_of_their_own
            followers_that_append_the_same_bytes_at_once_do_not_double_one
            closing_meets_appending_and_the_log_is_what_was_acknowledged
            sixty_four_mebibytes_take_little_memory
            a_log_is_read_in_parts_cut_at_any_byte
            nothing_is_read_beyond_the_end
            the_times_that_hold_within_a_part_come_with_it
            times_that_are_sent_again_are_kept_once
            bytes_without_times_have_none
            a_reader_that_follows_sees_every_byte_once
            a_removed_log_reads_as_empty_whether_it_was_closed_or_not
            removing_twice_is_removing_once
            only_the_log_of_that_attempt_is_removed
            an_object_is_read_back_whole_and_in_parts
            a_long_object_goes_in_parts_and_reads_as_one
            an_object_is_never_written_twice
            what_is_not_what_was_said_of_it_never_becomes_an_object
            objects_are_listed_in_the_order_of_their_keys_page_by_page
            a_removed_object_is_gone_and_can_be_removed_again
            lines_are_found_by_number_and_by_offset
            the_first_line_is_there_before_any_byte
        }
    };
}
