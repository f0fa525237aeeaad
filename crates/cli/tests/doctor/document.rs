//! `docs/doctor.md` and the cases are about the same findings: each finding that is documented has a case, and the other
//! way round.

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::Trial;

use crate::case::Case;

pub(crate) fn trial(cases: &[Case]) -> Trial {
    let tried: BTreeSet<String> = cases.iter().flat_map(Case::codes).map(str::to_owned).collect();
    Trial::test("every_finding_is_documented_and_has_a_case", move || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
        let text = std::fs::read_to_string(path).unwrap();
        let code = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        let documented: BTreeSet<_> = text.lines().filter_map(code).collect();
        let missing: Vec<_> = documented.symmetric_difference(&tried).collect();
        assert!(
            missing.is_empty(),
            "only in the document or only in the cases: {missing:?}"
        );
        Ok(())
    })
}
