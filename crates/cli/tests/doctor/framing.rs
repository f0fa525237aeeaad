//! What a stream's bytes can have wrong.

use crate::case::{Case, case};
use crate::faults::{event, stream};

/// A stream that gives these bytes at once and then stays open.
fn bytes(
    name: &'static str,
    found: &[&'static str],
    bytes: impl AsRef<[u8]> + Send + Sync + 'static,
) -> Case {
    case(name, found, move |_| stream().send(&bytes)).wait("1s")
}

/// The same, with the comment that is a note or fine.
fn noted(name: &'static str, also: &'static str, bytes: &'static str) -> Case {
    self::bytes(name, &[], bytes).also(&[also])
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        bytes(
            "json_without_framing_is_an_error",
            &["json-unframed"],
            "{\"a\": 1}\n{\"a\": 2}\n",
        ),
        bytes(
            "lines_without_a_colon_are_a_warning",
            &["no-colon?"],
            "id: 1\ndata: a\nand b\n\n",
        ),
        bytes(
            "nearly_a_field_is_an_error",
            &["field-name"],
            "id: 1\nData: x\n\nid: 2\ndata: y\n\n",
        ),
        noted(
            "a_field_that_nobody_knows_is_a_note",
            "unknown-field!",
            "id: 1\ntopic: x\ndata: y\n\n",
        ),
        bytes(
            "a_bom_in_the_midst_is_an_error",
            &["bom"],
            "id: 1\ndata: x\n\n\u{feff}data: y\n\n",
        ),
        noted(
            "a_bom_at_the_start_is_fine",
            "framing",
            "\u{feff}id: 1\ndata: x\n\n",
        ),
        bytes(
            "an_id_with_a_nul_is_a_warning",
            &["id-nul?"],
            "id: 1\ndata: x\n\nid: 2\u{0}\ndata: y\n\n",
        ),
        bytes(
            "a_retry_that_is_no_number_is_a_warning",
            &["retry?"],
            format!("retry: 3s\n{}", event(1)),
        ),
        bytes(
            "a_retry_of_nothing_is_a_warning",
            &["retry?"],
            format!("retry: 0\n{}", event(1)),
        ),
        bytes(
            "a_retry_of_an_hour_is_a_warning",
            &["retry?"],
            format!("retry: 3600000\n{}", event(1)),
        ),
        noted(
            "a_retry_of_three_seconds_is_fine",
            "framing",
            "retry: 3000\nid: 1\ndata: x\n\n",
        ),
        bytes(
            "bytes_that_are_no_utf_8_are_an_error",
            &["not-utf8"],
            &b"id: 1\ndata: caf\xe9\n\n"[..],
        ),
        bytes(
            "escaped_line_ends_are_an_error",
            &["escaped-newline"],
            "id: 1\ndata: hello\\n\\n\n\n",
        ),
        bytes(
            "a_frame_in_a_frame_is_a_warning",
            &["framed-twice?"],
            "id: 1\ndata: data: x\n\n",
        ),
        bytes(
            "an_object_that_was_not_written_out_is_a_warning",
            &["no-data?"],
            "id: 1\ndata: [object Object]\n\n",
        ),
        bytes(
            "a_comment_that_became_data_is_a_warning",
            &["framed-twice?"],
            "id: 1\ndata: : heartbeat\n\n",
        ),
        bytes(
            "a_value_as_python_shows_it_is_a_warning",
            &["python-data?"],
            "id: 1\ndata: {'a': True}\n\n",
        ),
        bytes(
            "a_page_instead_of_events_is_an_error",
            &["html"],
            format!("<html>\n<body>Log in</body>\n</html>\n{}", event(1)),
        ),
        bytes(
            "a_name_without_data_is_a_warning",
            &["event-without-data?"],
            format!("event: tick\n\n{}", event(1)),
        ),
        bytes(
            "cr_only_is_a_warning",
            &["cr-only?"],
            "id: 1\rdata: x\r\rdata: y\r\r",
        ),
        noted("crlf_is_fine", "framing", "id: 1\r\ndata: x\r\n\r\n"),
        noted(
            "mixed_line_ends_are_a_note",
            "mixed-line-ends!",
            "id: 1\r\ndata: x\r\n\r\ndata: y\n\n",
        ),
        noted(
            "names_that_onmessage_does_not_hear_are_a_note",
            "named-events!",
            "event: tick\nid: 1\ndata: x\n\n",
        ),
        noted(
            "an_event_called_error_is_a_note",
            "event-name!",
            "event: error\nid: 1\ndata: x\n\n",
        ),
        noted(
            "json_with_line_ends_in_it_is_fine",
            "framing",
            "id: 1\ndata: {\"text\": \"a\\n\\n\"}\n\n",
        ),
        case(
            "an_event_that_is_not_complete_at_the_end_is_an_error",
            &["unfinished"],
            |request| match request.header("last-event-id") {
                None => stream().send(event(1)).send("id: 2\ndata: y\n").finish(),
                Some(_) => stream(),
            },
        ),
        case(
            "events_without_a_blank_line_between_are_an_error",
            &["no-blank-line"],
            |_| stream().send("data: a\n").wait(1200).send("data: b\n"),
        ),
        case(
            "an_event_whose_blank_line_does_not_come_is_an_error",
            &["no-blank-line"],
            |_| stream().send("data: a\n"),
        )
        .wait("6s"),
        case("two_data_lines_at_once_are_one_event", &[], |_| {
            stream().send("id: 1\ndata: a\n").wait(200).send("data: b\n\n")
        }),
    ]
}
