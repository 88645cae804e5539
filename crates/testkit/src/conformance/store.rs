//! What every store must do, by situation: [`branchline_ports::Store`] in examples.

mod commits;
mod pages;
mod place;
mod rows;

pub use commits::*;
pub use pages::*;
pub use rows::*;

/// Makes each situation a test of a store. Takes an expression that opens a new, empty store and answers it together
/// with what must outlive it; `, ignored "…"` after it says that this store is not there by itself.
#[macro_export]
macro_rules! store_conformance {
    ($open:expr $(, ignored $reason:literal)?) => {
        $crate::conform! { store, $open $(, ignored $reason)?;
            a_row_that_must_be_absent_is_written_once
            a_row_is_changed_at_the_version_that_was_read
            a_stale_version_is_refused
            a_version_of_an_absent_row_is_refused
            a_change_that_expects_anything_is_made
            a_row_is_removed_at_the_version_that_was_read
            a_check_that_holds_writes_nothing
            a_check_that_does_not_hold_refuses_the_commit
            one_change_that_does_not_hold_refuses_all_wherever_it_stands
            a_conflict_names_the_first_row_that_differs
            versions_grow_whenever_a_row_is_written
            a_row_made_again_never_repeats_a_version
            a_key_named_twice_in_a_commit_is_refused
            an_empty_commit_is_made
            a_commit_of_any_size_is_refused_whole
            three_thousand_changes_are_one_commit
            three_hundred_rows_are_written_changed_and_removed_as_one
            compare_and_set_from_eight_threads_loses_nothing
            what_was_committed_is_seen_by_the_next_read
            rows_are_read_in_the_order_they_are_asked_for
            nothing_is_read_where_nothing_is_asked_for
            rows_of_every_shape_come_back_as_they_were_written
            a_row_of_a_mebibyte_comes_back_whole
            tidying_changes_nothing_that_is_read
            a_thousand_rows_are_read_at_once
            a_page_is_of_one_partition
            a_page_holds_its_prefix_and_nothing_else
            a_page_goes_on_after_a_key
            a_page_ends_at_a_key_that_it_still_holds
            a_page_holds_no_more_than_its_limit
            a_page_is_in_bytewise_order
            pages_agree_with_a_plain_list
            a_page_of_more_than_a_mebibyte_comes_whole
        }
    };
}
