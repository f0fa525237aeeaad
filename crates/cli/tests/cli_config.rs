//! The settings: layers, `tidewire config`, and what is said of wrong ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::process::{Tidewire, tidewire};

/// What `tidewire config --effective` prints.
fn effective(command: Tidewire) -> toml::Table {
    let run = command.run();
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    run.stdout.parse().unwrap()
}

fn defaults() -> toml::Table {
    effective(tidewire(["config", "--effective"]))
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let expected: toml::Table = r#"
        listen = "127.0.0.1:8420"
        hosts = []
        publish_token = []
        read_token = []
        public_read = false
        demo = true
        retry = "1s"
        heartbeat = "15s"
        data = "./tidewire-data"
        memory = false
        relay = []
        [access]
        cookies = ["__Host-tidewire", "__Secure-tidewire", "tidewire_token"]
        [cors]
        origins = []
        headers = []
        [archive]
        durability = "always"
        on_poison = "stay"
        max_bytes = "1GiB"
        max_age = "7days"
        relay_percent = 50
        topics = []
        [limits]
        max_event = "1MiB"
        max_subscribe_body = "512KiB"
        max_bodies = "256MiB"
        max_send_buffers = "256MiB"
        max_topics_per_subscription = 256
        max_topics = 1_000_000
        window = "64MiB"
        max_header = "16KiB"
        max_connections = 100_000
        max_keys = 100_000
        max_key_bytes = "64MiB"
        keep_keys = "1day"
        max_running_answers = 10_000
        max_kept_answers = 100_000
        max_kept_bodies = "64MiB"
        backlog = 4096
        [timeouts]
        header_read = "10s"
        keep_alive = "1m 15s"
        body_stall = "30s"
        body_total = "5m"
        write_stall = "30s"
        tcp_user = "45s"
        drain_notice = "0s"
        drain = "10s"
        [log]
        level = "info"
        format = "human"
    "#
    .parse()
    .unwrap();
    assert_eq!(defaults(), expected);
}

#[test]
fn the_printed_file_is_valid_and_holds_the_defaults() {
    let printed = tidewire(["config"]).run().stdout;
    let check = tidewire(["config", "--check", "printed.toml"])
        .file("printed.toml", &printed)
        .run();
    assert_eq!(
        (check.code, &*check.stdout),
        (Some(0), "printed.toml is fine\n"),
        "{check:?}"
    );

    // With every setting that has a default written out, it says the same.
    let written = printed.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') && setting.contains(" = ") => setting,
        _ => line,
    });
    let written = written.collect::<Vec<_>>().join("\n");
    let mut expected = defaults();
    expected.remove("demo"); // It depends on the address,
    for name in ["max_bytes", "max_age"] {
        expected["archive"].as_table_mut().unwrap().remove(name); // and these on where the log is.
    }
    assert_eq!(written.parse::<toml::Table>().unwrap(), expected);
    let all = tidewire(["config", "--effective"]).file("tidewire.toml", &written);
    assert_eq!(effective(all), defaults());
}

#[test]
fn the_values_in_force_are_a_file_too() {
    let own = "demo = false\n[archive]\nmax_age = \"1m 30s\"\nmax_bytes = \"1536KiB\"\n[log]\nlevel = \"warn,a=debug\"\n";
    let own = effective(tidewire(["config", "--effective"]).file("tidewire.toml", own));
    assert_eq!(own["archive"]["max_age"].as_str(), Some("1m 30s"));
    let again = tidewire(["config", "--effective"]).file("tidewire.toml", &own.to_string());
    assert_eq!(effective(again), own);
}

#[test]
fn rules_for_topics_come_from_file_or_environment_and_wrong_ones_say_why() {
    let chat = "[[archive.topics]]\nprefix = \"chat/\"\nmax_events = 9\nmax_age = \"1day\"\n";
    let found = effective(tidewire(["config", "--effective"]).file("tidewire.toml", chat));
    let rules: toml::Table = chat.parse().unwrap();
    assert_eq!(found["archive"]["topics"], rules["archive"]["topics"]);
    let again = tidewire(["config", "--effective"]).file("tidewire.toml", &found.to_string());
    assert_eq!(effective(again), found);
    let listed = r#"[{ prefix = "chat/", max_events = 9, max_age = "1day" }]"#;
    let from_env = tidewire(["config", "--effective"]).env("TIDEWIRE_ARCHIVE_TOPICS", listed);
    assert_eq!(
        effective(from_env)["archive"]["topics"],
        rules["archive"]["topics"]
    );

    let many: String = (0..=100)
        .map(|number| format!("[[archive.topics]]\nprefix = \"{number}/\"\nmax_events = 1\n"))
        .collect();
    for (file, why) in [
        (chat.repeat(2), "two rules for the prefix \"chat/\""),
        ("[[archive.topics]]\nprefix = \"a\"\n".into(), "bounds nothing"),
        (chat.replace('9', "0"), "`0` is out of bounds: give 1 to"),
        (chat.replace("1day", "0s"), "`0s` is out of bounds: give 1s to"),
        (chat.replace("prefix = \"chat/\"", ""), "missing field `prefix`"),
        (chat.replace("max_age", "max_years"), "unknown field `max_years`"),
        (many, "there are 101 rules, and at most 100"),
    ] {
        let run = tidewire(["config", "--check", "wrong.toml"])
            .file("wrong.toml", &file)
            .run();
        assert_eq!(run.code, Some(2), "{file}: {run:?}");
        assert!(run.stderr.contains(why), "{why}: {}", run.stderr);
    }
    let run = tidewire(["config", "--effective"])
        .env("TIDEWIRE_ARCHIVE_TOPICS", "chat/=9")
        .run();
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("give a list such as"), "{}", run.stderr);
}

#[test]
fn every_setting_is_printed_with_text_default_and_environment_name() {
    let printed = tidewire(["config"]).run().stdout;
    let mut table = String::new();
    let mut settings = 0;
    for paragraph in printed.split("\n\n").skip(1) {
        let comments: Vec<_> = paragraph.lines().filter(|line| line.starts_with("# ")).collect();
        if let Some(name) = paragraph
            .lines()
            .find_map(|line| line.strip_prefix('[')?.strip_suffix(']'))
        {
            table = format!("{}_", name.to_uppercase());
        }
        let setting = paragraph.lines().last().unwrap().trim_start_matches('#');
        let (name, default) = setting.split_once(" =").unwrap();
        settings += 1;
        assert!(comments.len() >= 2, "{name} has no text:\n{paragraph}");
        let env = match format!("TIDEWIRE_{table}{}", name.to_uppercase()).as_str() {
            "TIDEWIRE_LOG_LEVEL" => "`TIDEWIRE_LOG`".to_owned(),
            rule => format!("`{rule}`"),
        };
        assert!(paragraph.contains(&env), "{name} has no {env}:\n{paragraph}");
        assert_eq!(
            paragraph.contains("Default value:"),
            !default.is_empty(),
            "{paragraph}"
        );
    }
    assert!(settings >= 20, "only {settings} were found");
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let file = "heartbeat = \"20s\"\nretry = \"2s\"\nhosts = [\"File.example\"]\ndemo = false\n";
    let config = |args: &[&str]| {
        tidewire([&["config", "--effective"], args].concat())
            .file("tidewire.toml", file)
            .env("TIDEWIRE_HEARTBEAT", "30s")
            .env("TIDEWIRE_HOSTS", "a.example, b.example")
            .env("TIDEWIRE_LOG", "debug")
    };
    let found = effective(config(&[]));
    assert_eq!(found["heartbeat"].as_str(), Some("30s"), "environment over file");
    assert_eq!(found["retry"].as_str(), Some("2s"), "file over default");
    assert_eq!(found["demo"].as_bool(), Some(false), "file over default");
    assert_eq!(found["listen"].as_str(), Some("127.0.0.1:8420"), "default");
    assert_eq!(
        found["log"]["level"].as_str(),
        Some("debug"),
        "environment over default"
    );
    let hosts: Vec<_> = found["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host.as_str().unwrap())
        .collect();
    assert_eq!(hosts, ["a.example", "b.example"]);

    let flags = [
        "--heartbeat",
        "40s",
        "--host",
        "Flag.Example",
        "--log-format",
        "json",
        "--archive-max-events",
        "9",
    ];
    let found = effective(config(&flags));
    assert_eq!(found["heartbeat"].as_str(), Some("40s"), "flag over environment");
    assert_eq!(
        found["hosts"].as_array().unwrap()[0].as_str(),
        Some("flag.example")
    );
    assert_eq!(found["log"]["format"].as_str(), Some("json"));
    assert_eq!(found["archive"]["max_events"].as_integer(), Some(9));
}

#[test]
fn what_is_kept_depends_on_where_the_log_is() {
    let kept = |args: &[&str]| {
        let found = effective(tidewire([&["config", "--effective"], args].concat()));
        let text = |name: &str| Some(found["archive"].get(name)?.as_str()?.to_owned());
        (text("max_bytes"), text("max_age"))
    };
    assert_eq!(kept(&["--memory"]), (Some("64MiB".into()), None));
    for on_disk in [&[][..], &["--data", "log"]] {
        assert_eq!(kept(on_disk), (Some("1GiB".into()), Some("7days".into())));
    }
    let own = [
        "--data",
        "log",
        "--archive-max-bytes",
        "2MiB",
        "--archive-max-age",
        "1h",
    ];
    assert_eq!(kept(&own), (Some("2MiB".into()), Some("1h".into())));
}

/// The settings of a layer say where the log is; the highest layer that says it counts.
#[test]
fn a_folder_or_memory_the_higher_layer_says_which() {
    let place = |args: &[&str], variables: &[(&str, &str)], file: &str| {
        let command = tidewire([&["config", "--effective"], args].concat()).file("tidewire.toml", file);
        let command = variables
            .iter()
            .fold(command, |command, (name, value)| command.env(name, value));
        let found = effective(command);
        let again = effective(tidewire(["config", "--effective"]).file("tidewire.toml", &found.to_string()));
        assert_eq!(again, found, "what is printed can be read");
        let folder = found.get("data").map(|data| data.as_str().unwrap().to_owned());
        assert_eq!(found["memory"].as_bool(), Some(folder.is_none()));
        folder.unwrap_or("memory".into())
    };
    let (data, memory) = (("TIDEWIRE_DATA", "env"), ("TIDEWIRE_MEMORY", "true"));
    for (args, variables, file, expected) in [
        (&[][..], &[][..], "", "./tidewire-data"),
        (&["--memory"], &[], "", "memory"),
        (&["--memory"], &[data], "", "memory"),
        (&["--memory"], &[], "data = \"file\"", "memory"),
        (&["--data", "flag"], &[memory], "", "flag"),
        (&["--data", "flag"], &[data], "memory = true", "flag"),
        (&[], &[memory], "data = \"file\"", "memory"),
        (&[], &[data], "memory = true", "env"),
        (
            &[],
            &[("TIDEWIRE_MEMORY", "false")],
            "memory = true",
            "./tidewire-data",
        ),
        (&[], &[("TIDEWIRE_MEMORY", "false"), data], "", "env"),
        (&[], &[], "memory = true", "memory"),
        (&[], &[], "memory = false\ndata = \"file\"", "file"),
    ] {
        assert_eq!(
            place(args, variables, file),
            expected,
            "{args:?} {variables:?} {file}"
        );
    }
}

#[test]
fn a_folder_and_memory_at_once_are_refused() {
    let both = || tidewire(["serve", "--listen", "127.0.0.1:0"]);
    for (command, text) in [
        (
            tidewire(["--memory", "--data", "log"]),
            "'--memory' cannot be used with '--data",
        ),
        (
            both().env("TIDEWIRE_MEMORY", "true").env("TIDEWIRE_DATA", "log"),
            "TIDEWIRE_MEMORY and TIDEWIRE_DATA contradict each other: the log is either in memory or in log",
        ),
        (
            both().file("tidewire.toml", "memory = true\ndata = \"log\""),
            "tidewire.toml: memory and data contradict each other",
        ),
        (
            tidewire(["config", "--check", "own.toml"]).file("own.toml", "memory = true\ndata = \"log\""),
            "own.toml: memory and data contradict each other",
        ),
        (
            both().file("tidewire.toml", "data = \"\""),
            "data is empty: name a folder",
        ),
    ] {
        let run = command.run();
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{text}");
        assert!(run.stderr.contains(text), "{text:?} is missing:\n{}", run.stderr);
    }
}

#[test]
fn what_is_unset_depends_on_who_can_reach_the_server() {
    let settings = |args: &[&str]| effective(tidewire([&["config", "--effective"], args].concat()));
    let demo = |table: &toml::Table| table["demo"].as_bool().unwrap();
    let per_address = |table: &toml::Table| {
        let limit = table["limits"].get("max_connections_per_address");
        limit.map(|limit| limit.as_integer().unwrap())
    };
    for own in [
        "127.0.0.1:80",
        "localhost:80",
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
    ] {
        let found = settings(&["--listen", own]);
        assert_eq!((demo(&found), per_address(&found)), (true, None), "{own}");
        let found = settings(&["--listen", own, "--publish-token", "only-who-may"]);
        assert!(!demo(&found), "the demo publishes for whoever asks");
    }
    let shares = |table: &toml::Table| {
        let of = |name: &str| table["limits"].get(name).map(ToString::to_string);
        [
            "max_bodies_per_address",
            "max_running_per_address",
            "max_running_without_token",
            "max_bodies_without_token",
            "max_send_buffers_per_address",
            "max_send_buffers_without_token",
        ]
        .map(of)
    };
    let share = |text: &str| Some(text.to_owned());
    assert_eq!(shares(&settings(&[])), [const { None::<String> }; 6]);
    assert_eq!(
        shares(&settings(&["--read-token", "only-who-may"])),
        [
            None,
            None,
            share("7500"),
            share("\"192MiB\""),
            None,
            share("\"192MiB\"")
        ]
    );
    assert_eq!(
        shares(&settings(&[
            "--listen",
            "0.0.0.0:80",
            "--publish-token-file",
            "file"
        ])),
        [
            share("\"64MiB\""),
            share("2500"),
            share("7500"),
            share("\"192MiB\""),
            share("\"64MiB\""),
            share("\"192MiB\"")
        ]
    );
    for open in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
        let found = settings(&["--listen", open]);
        assert_eq!((demo(&found), per_address(&found)), (false, Some(1000)), "{open}");
        let unknown = found["limits"]["max_unknown_topics_per_address"].as_integer();
        assert_eq!(unknown, Some(10_000), "{open}");
        let found = settings(&["--listen", open, "--demo", "--max-connections-per-address", "5"]);
        assert_eq!((demo(&found), per_address(&found)), (true, Some(5)), "{open}");
    }
}

#[test]
fn no_demo_is_a_switch() {
    let found = effective(tidewire(["config", "--effective", "--no-demo"]).env("TIDEWIRE_DEMO", "yes"));
    assert_eq!(found["demo"].as_bool(), Some(false));
}

#[test]
fn a_named_file_is_read_instead_of_the_usual_one() {
    let config = tidewire(["config", "--effective", "--config", "other.toml"])
        .file("tidewire.toml", "retry = \"2s\"")
        .file("other.toml", "heartbeat = \"20s\"");
    let found = effective(config);
    assert_eq!(
        (found["retry"].as_str(), found["heartbeat"].as_str()),
        (Some("1s"), Some("20s"))
    );
}

#[test]
fn a_wrong_file_is_told_by_place_value_and_what_is_allowed() {
    for (file, texts) in [
        (
            "\nhart = 1",
            &["line 2", "unknown field `hart`", "`heartbeat`"][..],
        ),
        (
            "[archive]\nhart = 1",
            &["line 2", "unknown field `hart`", "`max_bytes`"],
        ),
        (
            "[limit]\nwindow = \"1MiB\"",
            &["line 1", "unknown field `limit`", "`limits`"],
        ),
        (
            "retry = \"2h\"",
            &["line 1", "retry", "`2h` is out of bounds: give 0s to 1h"],
        ),
        (
            "heartbeat = \"999ms\"",
            &["heartbeat", "`999ms` is out of bounds: give 1s to 1h"],
        ),
        (
            "heartbeat = 15",
            &["heartbeat", "`15` is no length of time with a unit", "`15s`"],
        ),
        (
            "heartbeat = true",
            &["heartbeat", "boolean `true`", "a text or a number"],
        ),
        (
            "[limits]\nmax_event = 5",
            &["line 2", "max_event", "`5` is no size with a unit", "`64MiB`"],
        ),
        (
            "[limits]\nmax_event = \"1MiBB\"",
            &["`1MiBB` is no size with a unit"],
        ),
        (
            "[limits]\nmax_event = \"99999999999999TiB\"",
            &["`99999999999999TiB` is no size"],
        ),
        (
            "[limits]\nmax_topics = \"many\"",
            &["max_topics", "`many` is no whole number: give 1 to"],
        ),
        ("[limits]\nbacklog = -1", &["backlog", "`-1` is no whole number"]),
        (
            "[limits]\nbacklog = 70000",
            &["backlog", "`70000` is out of bounds: give 1 to 65535"],
        ),
        (
            "[cors]\norigins = [\"https://a.example/page\"]",
            &[
                "line 2",
                "`https://a.example/page` is no origin",
                "or `*` for all",
            ],
        ),
        (
            "[cors]\norigins = [\"*\", \"https://a.example\"]",
            &["cors.origins has `*` and others", "no cookies"],
        ),
        (
            "[cors]\nheaders = [\"X Tenant\"]",
            &["headers", "`X Tenant` is no header name"],
        ),
        (
            "publish_token = \"two words\"",
            &["publish_token", "letters, digits and", "openssl rand"],
        ),
        ("read_token = [\"\"]", &["read_token: a token is empty"]),
        (
            "read_token = [5]",
            &[
                "line 1",
                "`read_token`: the integer `5` is wrong here",
                "a text in quotes",
            ],
        ),
        (
            "log = \"verbose\"",
            &["`log`: the text \"verbose\" is wrong here", "a line `[log]`"],
        ),
        (
            "limits = 5",
            &["the integer `5` is wrong here", "a line `[limits]`"],
        ),
        ("timeouts = []", &["a list", "a line `[timeouts]`"]),
        (
            "[relay]\npath = \"/v1\"\nupstream = \"https://a.example\"",
            &["a table is wrong here", "`[[relay]]` with two brackets"],
        ),
        (
            "relay = \"https://a.example\"",
            &["`[[relay]]` with two brackets"],
        ),
        ("[[relay]]\npath = \"/v1\"", &["missing field `upstream`"]),
        ("hosts = \"a\"", &["write a list: `hosts = [\"a\"]`"]),
        ("[cors]\norigins = \"*\"", &["write a list: `origins = [\"*\"]`"]),
        (
            "heartbeat = true",
            &["the boolean `true` is wrong here", "a text or a number"],
        ),
        ("data = 5", &["the integer `5` is wrong here", "a text in quotes"]),
        (
            "[archive]\ntopics = [\"chat/\"]",
            &["the text \"chat/\" is wrong here", "{ prefix = \"chat/\""],
        ),
        (
            "lisen = \"x\"",
            &["unknown field `lisen`: did you mean `listen`?"],
        ),
        (
            "[limits]\nmax_connections = 0",
            &["max_connections", "`0` is out of bounds: give 1 to"],
        ),
        (
            "listen = \"8420\"",
            &["listen", "`8420` is no address: give IP:PORT"],
        ),
        ("hosts = [\"http://x\"]", &["hosts", "`http://x` is no host name"]),
        (
            "hosts = [\"x:80\"]",
            &["hosts", "`x:80` is no host name", "without scheme and port"],
        ),
        (
            "demo = \"no\"",
            &["write `demo = true` or `demo = false`, without quotes"],
        ),
        (
            "[log]\nlevel = \"verbose\"",
            &["level", "`verbose` is no log level", "debug or trace"],
        ),
        (
            "[log]\nformat = \"xml\"",
            &["format", "unknown variant `xml`, expected `human` or `json`"],
        ),
        ("retry = ", &["line 1", "retry ="]),
        (
            "[limits]\nmax_event = \"8MiB\"\nwindow = \"4MiB\"",
            &["limits.window", "limits.max_event (8MiB)", "raise it"],
        ),
        (
            "[archive]\nmax_bytes = \"1MiB\"\n[limits]\nmax_event = \"2MiB\"",
            &["archive.max_bytes", "(2MiB)"],
        ),
    ] {
        // Checked alone, and read by the server, which must not start.
        for args in [
            &["config", "--check", "tidewire.toml"][..],
            &["config", "--check"],
            &[],
            &["serve"],
        ] {
            let run = tidewire(args).file("tidewire.toml", file).run();
            assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{file}\n{}", run.stderr);
            for text in texts {
                assert!(
                    run.stderr.contains(text),
                    "{text:?} is missing for {file}:\n{}",
                    run.stderr
                );
            }
        }
    }
}

#[test]
fn a_variable_that_is_no_setting_is_warned_of_with_the_nearest_name() {
    let relay = "[[relay]]\npath = \"/v1\"\nupstream = \"https://a.example\"\nkey_env = \"TIDEWIRE_OPENAI_KEY\"\nallow = [\"POST /x\"]\n";
    let run = tidewire(["config", "--check"])
        .file(
            "tidewire.toml",
            &format!("publish_token = \"secret-token-of-32-characters-00\"\n{relay}"),
        )
        .env("TIDEWIRE_LISTN", "127.0.0.1:1")
        .env("TIDEWIRE_WHATEVER_THIS_IS", "1")
        .env("TIDEWIRE_OPENAI_KEY", "sk-1")
        .env("TIDEWIRE_URL", "http://127.0.0.1:1")
        .env("TIDEWIRE_SERVICE_HOST", "10.0.0.1")
        .env("TIDEWIRE_PORT_8420_TCP", "tcp://10.0.0.1:8420")
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let told: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| line.contains("TIDEWIRE"))
        .collect();
    assert_eq!(
        told,
        [
            "warning: the variable TIDEWIRE_LISTN is no setting and does nothing: did you mean TIDEWIRE_LISTEN?",
            "warning: the variable TIDEWIRE_WHATEVER_THIS_IS is no setting and does nothing (`tidewire config` prints their names)",
        ]
    );
}

#[test]
fn a_wrong_variable_says_what_is_wrong_and_names_no_type() {
    let run = tidewire(["serve"]).env("TIDEWIRE_HEARTBEAT", "abc").run();
    let text = "tidewire: error: TIDEWIRE_HEARTBEAT: `abc` is no length of time with a unit: give 1s to 1h, for example `15s`, `500ms` or `1m 30s`\n";
    assert_eq!((run.code, &*run.stderr), (Some(2), text));
}

#[test]
fn a_wrong_variable_is_named_with_what_is_allowed() {
    for (name, value, text) in [
        (
            "TIDEWIRE_HEARTBEAT",
            "5ms",
            "`5ms` is out of bounds: give 1s to 1h",
        ),
        (
            "TIDEWIRE_ARCHIVE_MAX_AGE",
            "1",
            "`1` is no length of time with a unit: give 1s to 10years",
        ),
        ("TIDEWIRE_DEMO", "maybe", "'maybe' is neither `true` nor `false`"),
        ("TIDEWIRE_LISTEN", "[::]", "`[::]` is no address"),
        (
            "TIDEWIRE_CORS_ORIGINS",
            "https://a.example, b",
            "`b` is no origin",
        ),
        ("TIDEWIRE_HOSTS", "a.b, x/y", "`x/y` is no host name"),
        (
            "TIDEWIRE_LIMITS_BACKLOG",
            "0",
            "`0` is out of bounds: give 1 to 65535",
        ),
        ("TIDEWIRE_LOG_FORMAT", "xml", "expected `human` or `json`"),
    ] {
        let run = tidewire(["serve"]).env(name, value).run();
        assert_eq!(run.code, Some(2), "{name}={value}\n{}", run.stderr);
        assert!(
            run.stderr.contains(name) && run.stderr.contains(text),
            "{name}={value}\n{}",
            run.stderr
        );
    }
}

#[test]
fn a_wrong_flag_is_named_with_what_is_allowed() {
    for (args, text) in [
        (
            &["--heartbeat", "5ms"][..],
            "`5ms` is out of bounds: give 1s to 1h",
        ),
        (&["--listen", "192.168.1.1"], "is no address: give IP:PORT"),
        (&["--cors-origin", "null"], "`null` is no origin"),
        (&["--max-connections", "none"], "is no whole number"),
        (&["--demo", "--no-demo"], "cannot be used with"),
        (&["--host", ""], "`` is no host name"),
        (&["--archive-max-bytes", "1KiB"], "give 1MiB to 1TiB"),
        (&["--log", "info,tidewire_hub"], "is no log level"),
        (&["--log-format", "xml"], "[possible values: human, json]"),
        (&["--hearbeat", "5s"], "a similar argument exists: '--heartbeat'"),
        (&["--listen", "127.0.0.1:0", "serve"], "cannot be used with"),
        (&["server"], "unrecognized subcommand 'server'"),
        (&["config", "--check", "--effective"], "cannot be used with"),
        (&["config", "--retry", "2s"], "--effective"),
    ] {
        let run = tidewire(args).run();
        assert_eq!(run.code, Some(2), "{args:?}\n{}", run.stderr);
        assert!(run.stderr.contains(text), "{args:?}\n{}", run.stderr);
    }
}

#[test]
fn a_named_file_must_be_there() {
    for args in [
        &["--config", "none.toml"][..],
        &["serve", "--config", "none.toml"],
        &["config", "--check", "none.toml"],
        &["config", "--effective", "--config", "none.toml"],
    ] {
        let run = tidewire(args).run();
        assert_eq!(run.code, Some(2), "{args:?}");
        assert!(
            run.stderr
                .contains("cannot read the configuration file none.toml"),
            "{}",
            run.stderr
        );
    }
    let run = tidewire(["config", "--check"]).run();
    assert!(
        run.stderr
            .contains("cannot read the configuration file tidewire.toml"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_file_check_looks_at_nothing_else() {
    let run = tidewire(["config", "--check", "a.toml"])
        .file("a.toml", "retry = \"2s\"")
        .file("tidewire.toml", "wrong")
        .env("TIDEWIRE_RETRY", "wrong")
        .run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "a.toml is fine\n"), "{run:?}");
}
