//! The npm package has the same names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tidewire_codec::protocol;

#[test]
fn the_npm_package_has_the_same_names() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/tidewire/src/protocol.ts");
    let source = std::fs::read_to_string(path).unwrap();
    let value = |name: &str| {
        let declared = source.lines().find_map(|line| {
            let rest = line.strip_prefix("export const ")?.strip_prefix(name)?;
            rest.strip_prefix(" = '")?.strip_suffix("';")
        });
        declared.unwrap_or_else(|| panic!("protocol.ts has no {name}"))
    };
    for (name, ours) in [
        ("EVENT_STREAM", protocol::EVENT_STREAM),
        ("GAP", protocol::GAP),
        ("IDEMPOTENCY_KEY", protocol::IDEMPOTENCY_KEY),
        ("LAST_EVENT_ID", protocol::LAST_EVENT_ID),
        ("TIDEWIRE_HEARTBEAT", protocol::TIDEWIRE_HEARTBEAT),
        ("TIDEWIRE_RESUME", protocol::TIDEWIRE_RESUME),
        ("TIDEWIRE_STREAM", protocol::TIDEWIRE_STREAM),
    ] {
        assert_eq!(value(name).to_ascii_lowercase(), ours, "{name}");
    }
    // Names of ours that the package alone would have are looked for, too.
    for line in source.lines().filter(|line| line.contains("TIDEWIRE_")) {
        let name = line
            .trim_start_matches("export const ")
            .split(' ')
            .next()
            .unwrap();
        assert!(
            ["TIDEWIRE_HEARTBEAT", "TIDEWIRE_RESUME", "TIDEWIRE_STREAM"].contains(&name),
            "{name}"
        );
    }
}
