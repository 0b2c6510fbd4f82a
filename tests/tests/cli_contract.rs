//! The contract of every command: exit codes, JSON, streams, no overwriting, whole files or none.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::OnceLock;

use tessera_core::format::Reader;
use tessera_tests::pictures::picture;
use tessera_tests::program::Workplace;
use tessera_tests::sounds::{wav, wave};

fn workplace() -> Workplace {
    static ENCODED: OnceLock<Vec<u8>> = OnceLock::new();
    let encoded = ENCODED.get_or_init(|| {
        let place = Workplace::new();
        picture("rgb8", 48, 32).save(place.path("a.png")).unwrap();
        place.done(&["encode", "a.png", "-o", "a.inr", "--partitions", "2x3", "--steps", "3"]);
        place.read("a.inr")
    });
    let place = Workplace::new();
    picture("rgb8", 48, 32).save(place.path("a.png")).unwrap();
    place.write("a.inr", encoded);
    place
}

#[test]
fn usage_is_2() {
    let place = workplace();
    for arguments in [
        &["encode"][..],
        &["no-such-command"],
        &["encode", "a.png", "-o", "b.inr", "--steps", "many"],
        &["encode", "a.png", "-o", "b.inr", "--resume"],
        &["encode", "a.png", "-o", "b.inr", "--model", "siren", "--partitions", "4x4"],
        &["encode", "a.png", "-o", "b.inr", "--partitions", "4"],
        &["encode", "a.png", "-o", "b.inr", "--partitions", "33x1"],
        &["encode", "a.png", "-o", "b.inr", "--learning-rate", "-1"],
        &["encode", "a.png", "-o", "b.inr", "--sample-fraction", "1.5"],
        &["encode", "a.png", "-o", "b.inr", "--threads", "0"],
        &["encode", "a.png", "-o", "missing/b.inr"],
        &["crop", "a.inr", "-o", "b.inr"],
        &["crop", "a.inr", "-o", "b.inr", "--keep", "all", "--drop", "all"],
        &["crop", "a.inr", "-o", "b.inr", "--keep", "nonsense"],
        &["crop", "a.inr", "-o", "b.inr", "--keep", "parts=6"],
        &["crop", "a.inr", "-o", "b.inr", "--keep", "9x9+500+500"],
        &["crop", "a.inr", "-o", "b.inr", "--drop", "all"],
        &["decode", "a.inr", "-o", "b.png", "--scale", "0"],
        &["decode", "a.inr", "-o", "b.png", "--scale", "NaN"],
        &["decode", "a.inr", "-o", "b.xyz"],
        &["decode", "a.inr", "-o", "b.png", "--fill", "octarine"],
        &["info", "a.inr", "--quiet", "--verbose"],
        &["completions", "no-such-shell"],
    ] {
        place.fails(2, arguments);
    }
    assert_eq!(place.names(), ["a.inr", "a.png"], "nothing was written");
}

#[test]
fn unreadable_or_invalid_input_is_3() {
    let place = workplace();
    place.write("empty", b"");
    place.write("text.inr", b"this is no field");
    std::fs::copy(place.path("a.png"), place.path("picture.inr")).unwrap();
    std::fs::copy(place.path("a.inr"), place.path("field.png")).unwrap();
    for arguments in [
        &["info", "no-such-file"][..],
        &["info", "."],
        &["info", "empty"],
        &["info", "text.inr"],
        &["info", "picture.inr"],
        &["decode", "picture.inr", "-o", "b.png"],
        &["crop", "picture.inr", "-o", "b.inr", "--keep", "all"],
        &["encode", "no-such-file", "-o", "b.inr"],
        &["encode", "text.inr", "-o", "b.inr"],
        &["encode", "field.png", "-o", "b.inr"],
        &["compare", "text.inr", "a.png"],
        &["import", "text.inr", "-o", "b.inr", "--model", "siren", "--shape", "8x8"],
        &["encode", "a.png", "-o", "b.inr", "--config", "no-such-file"],
        &["view", "no-such-file"],
    ] {
        place.fails(3, arguments);
    }
    assert!(place.fails(3, &["encode", "field.png", "-o", "b.inr"]).contains("Tessera file already"));
    assert!(!place.path("b.inr").exists());
}

#[test]
fn every_truncation_is_3_and_names_the_part() {
    let place = workplace();
    let whole = place.read("a.inr");
    for length in [1, 7, 8, 20, 51, 52, 100, whole.len() / 2, whole.len() - 1] {
        place.write("cut.inr", &whole[..length]);
        for arguments in [&["verify", "cut.inr"][..], &["decode", "cut.inr", "-o", "b.png"], &["info", "cut.inr"]] {
            let message = place.fails(3, arguments);
            assert!(message.contains("cut.inr") && message.contains("at byte"), "{message}");
        }
    }
    let mut damaged = whole.clone();
    let last = damaged.len() - 20;
    damaged[last] ^= 1;
    place.write("damaged.inr", &damaged);
    let message = place.fails(3, &["verify", "damaged.inr"]);
    assert!(message.contains("partition 5"), "{message}");
    assert!(!place.path("b.png").exists());
}

#[test]
fn limits_are_4_and_versions_are_6() {
    let place = workplace();
    place.fails(4, &["decode", "a.inr", "-o", "b.png", "--scale", "100000"]);
    place.fails(4, &["encode", "a.png", "-o", "b.inr", "--local-width", "5000"]);
    let mut later = place.read("a.inr");
    // The major version follows the eight bytes of the magic.
    later[8] = 9;
    place.write("later.inr", &later);
    let message = place.fails(6, &["info", "later.inr"]);
    assert!(message.contains("version"), "{message}");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let place = workplace();
    place.write("b", b"precious");
    for arguments in [
        &["encode", "a.png", "-o", "b"][..],
        &["decode", "a.inr", "-o", "b"],
        &["crop", "a.inr", "-o", "b", "--keep", "all"],
        &["import", "a.inr", "-o", "b", "--model", "siren", "--shape", "8x8"],
    ] {
        let message = place.fails(2, arguments);
        assert!(message.contains("--force"), "{message}");
    }
    assert_eq!(place.read("b"), b"precious");
    place.done(&["crop", "a.inr", "-o", "b", "--keep", "all", "--force"]);
    assert_eq!(place.read("b"), place.read("a.inr"));
    // A file may be cropped onto itself, and no temporary file stays.
    place.done(&["crop", "a.inr", "-o", "a.inr", "--keep", "parts=0", "--force"]);
    assert_eq!(Reader::open(&place.read("a.inr")).unwrap().present(), [0]);
    assert_eq!(place.names(), ["a.inr", "a.png", "b"]);
}

#[cfg(unix)]
#[test]
fn a_failed_write_leaves_what_was_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = workplace();
    let folder = place.path("full");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("b.inr"), b"precious").unwrap();
    // A file size limit of zero makes every write fail after the temporary file was made.
    let program = tessera_tests::program::tessera();
    let script =
        format!("ulimit -f 0; trap '' XFSZ; exec '{}' crop a.inr -o full/b.inr --keep all --force", program.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(folder.join("b.inr")).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file stays");
    place.done(&["crop", "a.inr", "-o", "c.inr", "--keep", "all"]);
    assert_eq!(
        std::fs::metadata(place.path("c.inr")).unwrap().permissions().mode() & 0o444,
        0o444,
        "others may read it"
    );
}

#[test]
fn streams_work_in_both_directions() {
    let place = workplace();
    let picture = place.read("a.png");
    let encoded = place.run_with(&["encode", "-", "-o", "-", "--partitions", "2x3", "--steps", "3"], &picture);
    assert_eq!(encoded.code, 0, "{}", encoded.stderr);
    assert_eq!(encoded.stdout, place.read("a.inr"));
    let cropped = place.run_with(&["crop", "-", "-o", "-", "--keep", "parts=0"], &encoded.stdout);
    assert_eq!(Reader::open(&cropped.stdout).unwrap().present(), [0]);
    assert!(cropped.stderr.contains("1 of 6 partitions"), "{}", cropped.stderr);
    let decoded = place.run_with(&["decode", "-", "-o", "-"], &cropped.stdout);
    let decoded = image::load_from_memory(&decoded.stdout).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (16, 16));
    assert!(place.run_with(&["info", "-"], &cropped.stdout).text().contains("1 of 6"));
    assert_eq!(place.run_with(&["verify", "-"], &cropped.stdout).code, 0);
    assert_eq!(place.run_with(&["compare", "-", "a.png", "--json"], &encoded.stdout).code, 0);
    let both = place.run_with(&["crop", "-", "-o", "-", "--keep", "all", "--json"], &encoded.stdout);
    assert_eq!(both.code, 2, "the report and the data cannot share stdout");
    assert!(both.stdout.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let place = workplace();
    for arguments in [&["info", "a.inr", "--parts"][..], &["completions", "bash"], &["man"], &["--help"]] {
        let mut child = place.start(arguments, Stdio::null());
        drop(child.stdout.take());
        let mut talk = String::new();
        child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
        assert!(child.wait().unwrap().code().is_some_and(|c| c == 0), "{arguments:?}: {talk}");
        assert!(talk.is_empty(), "{arguments:?}: {talk}");
    }
}

#[test]
fn reports_are_one_json_value_with_the_agreed_names() {
    let place = workplace();
    let agreed: [(&[&str], &[&str]); 6] = [
        (
            &["encode", "a.png", "-o", "b.inr", "--steps", "1"],
            &[
                "psnr_db",
                "ssim",
                "seconds",
                "steps",
                "parameters",
                "bytes",
                "bits_per_sample",
                "kept_partitions",
                "macs_per_sample",
                "device",
                "engine",
                "model",
                "stopped_by",
            ],
        ),
        (
            &["crop", "a.inr", "-o", "c.inr", "--keep", "parts=0"],
            &["kept_partitions", "kept_box", "parameters", "bytes"],
        ),
        (&["decode", "a.inr", "-o", "b.png"], &["seconds", "samples", "rows", "columns", "bytes", "macs_per_sample"]),
        (&["compare", "a.inr", "a.png"], &["psnr_db", "ssim", "bytes", "bits_per_sample", "identical"]),
        (&["verify", "a.inr"], &["valid", "bytes", "kept_partitions", "parameters", "file_id", "weights_checksum"]),
        (
            &["info", "a.inr", "--parts"],
            &[
                "model",
                "parameters",
                "bytes",
                "bits_per_sample",
                "kept_partitions",
                "macs_per_sample",
                "head_bytes",
                "shared_bytes",
                "local_bytes",
                "training",
                "signal",
                "parts",
            ],
        ),
    ];
    for (arguments, names) in agreed {
        let report = place.json(&[arguments, &["--quiet"]].concat());
        for name in names {
            assert!(!report[name].is_null(), "{arguments:?} lacks {name}: {report}");
        }
    }
    let info = place.json(&["info", "a.inr", "--parts"]);
    let parts = info["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 7, "six partitions and the shared weights");
    let bytes: u64 = parts.iter().map(|p| p["bytes"].as_u64().unwrap()).sum();
    assert_eq!(bytes + info["head_bytes"].as_u64().unwrap(), place.read("a.inr").len() as u64);
    assert_eq!(place.json(&["compare", "a.png", "a.png"])["identical"], true);
}

#[test]
fn quiet_is_quiet_and_people_get_text() {
    let place = workplace();
    let run = place.done(&["crop", "a.inr", "-o", "q.inr", "--keep", "all", "--quiet"]);
    assert!(run.stdout.is_empty() && run.stderr.is_empty(), "{}", run.stderr);
    let run = place.done(&["crop", "a.inr", "-o", "t.inr", "--keep", "48x16+0+0"]);
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains("3 of 6 partitions: 48x16+0+0"), "{}", run.stderr);
    let table = place.done(&["info", "a.inr", "--parts"]);
    assert_eq!(table.text().lines().filter(|l| l.contains("16x16+")).count(), 6, "{}", table.text());
}

#[test]
fn completions_and_manual_name_every_command() {
    let place = Workplace::new();
    let commands = ["encode", "decode", "crop", "info", "verify", "compare", "import", "view", "bench"];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.done(&["completions", shell]);
        assert!(commands.iter().all(|c| script.text().contains(c)), "{shell}");
    }
    let page = place.done(&["man"]);
    assert!(page.text().contains(".TH tessera 1") && commands.iter().all(|c| page.text().contains(c)));
    place.done(&["man", "--folder", "."]);
    assert!(commands.iter().all(|c| place.path(&format!("tessera-{c}.1")).exists()), "{:?}", place.names());
    for command in commands {
        let help = place.done(&[command, "--help"]);
        assert!(help.text().contains("Example"), "{command}: every command shows an example");
    }
}

#[test]
fn checkpoints_are_imported() {
    let place = Workplace::new();
    let fixture = |name: &str| concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/").to_owned() + name;
    let (pth, safe) = (fixture("state-dict.pth"), fixture("state-dict.safetensors"));
    let options = ["--model", "local-global", "--factors", "3x2", "--shape", "8x8"];
    let report = place.json(&[&["import", &pth, "-o", "p.inr"][..], &options].concat());
    assert_eq!(report["model"], "local-global");
    place.done(&[&["import", &safe, "-o", "s.inr"][..], &options].concat());
    assert_eq!(place.read("p.inr"), place.read("s.inr"));
    place.done(&["verify", "p.inr"]);
    place.done(&["decode", "p.inr", "-o", "p.png"]);
    let wrong = ["--model", "local-global", "--factors", "2x2", "--shape", "8x8"];
    assert!(place.fails(3, &[&["import", &safe, "-o", "x.inr"][..], &wrong].concat()).contains("shape"));
    assert!(
        place
            .fails(2, &["import", &safe, "-o", "x.inr", "--model", "local-global", "--shape", "8x8"])
            .contains("--factors")
    );
    let expected = ["--channels", "7"];
    place.fails(3, &[&["import", &safe, "-o", "x.inr"][..], &options, &expected].concat());
}

#[test]
fn bench_reports_a_list_with_the_agreed_names() {
    let place = Workplace::new();
    let report =
        place.json(&["bench", "--setting", "picture-512-per-partition", "--steps", "1", "--decodes", "1", "--quiet"]);
    let [report] = report.as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!(report["setting"], "picture-512-per-partition");
    assert_eq!(report["parameters"], 208_128);
    for name in ["train_step_seconds", "decode_seconds", "percent_of_peak"] {
        assert!(report[name].as_f64().unwrap() > 0.0, "{name} in {report}");
    }
    assert!(report["percent_of_peak"].as_f64().unwrap() < 100.0, "{report}");
    assert!(report["engine"].is_string());
    #[cfg(target_os = "linux")]
    assert!(report["peak_bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn bench_times_the_decoding_of_files() {
    let place = Workplace::new();
    picture("rgb8", 40, 30).save(place.path("a.png")).unwrap();
    place.write("b.wav", &wav(&wave(12_000, 2), 2, 8_000, 16));
    place.done(&["encode", "a.png", "-o", "a.inr", "--steps", "2", "--preset", "light"]);
    place.done(&["encode", "b.wav", "-o", "b.inr", "--steps", "2", "--preset", "light"]);
    let report = place.json(&["bench", "--file", "a.inr", "--file", "b.inr", "--decodes", "2", "--quiet"]);
    let [a, b] = report.as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!((a["file"].as_str(), a["samples"].as_u64()), (Some("a.inr"), Some(1200)));
    // A tenth of a second, in two channels.
    assert_eq!((b["file"].as_str(), b["samples"].as_u64()), (Some("b.inr"), Some(800)));
    assert!(a["decode_seconds"].as_f64().unwrap() > 0.0 && a["real_time"].is_null(), "{report}");
    assert!(b["real_time"].as_f64().unwrap() > 1.0, "{report}");
    assert_eq!(place.json(&["info", "a.inr"])["global_width"], 0);
    assert_eq!(place.json(&["info", "b.inr"])["global_width"], 16);
}

/// The page is stood in for by one file: what is tested is the server.
#[cfg(unix)]
#[test]
fn view_serves_the_page_and_ranges_until_it_is_interrupted() {
    let place = workplace();
    std::fs::create_dir(place.path("page")).unwrap();
    place.write("page/index.html", b"<!doctype html>the page");
    std::fs::rename(place.path("a.inr"), place.path("my field.inr")).unwrap();
    let mut child = place.start(&["view", "my field.inr", "--page", "page", "--json"], Stdio::null());
    let mut stdout = child.stdout.take().unwrap();
    let (mut text, mut byte) = (Vec::new(), [0]);
    while text.last() != Some(&b'}') && stdout.read(&mut byte).unwrap() == 1 {
        text.push(byte[0]);
    }
    let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let port = u16::try_from(report["port"].as_u64().unwrap()).unwrap();
    assert_eq!(report["url"], format!("http://127.0.0.1:{port}/?url=file/my%2520field.inr"));

    let ask = |path: &str, more: &str| -> (String, Vec<u8>) {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{more}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
    };
    let (head, body) = ask("/?url=file/my%2520field.inr", "");
    assert!(head.starts_with("HTTP/1.1 200") && body.ends_with(b"the page"), "{head}");
    let file = place.read("my field.inr");
    let (head, body) = ask("/file/my%20field.inr", "");
    assert!(head.to_lowercase().contains(&format!("content-length: {}", file.len())), "{head}");
    assert_eq!(body, file);
    let (head, body) = ask("/file/my%20field.inr", "Range: bytes=52-99\r\n");
    assert!(head.starts_with("HTTP/1.1 206") && head.contains("bytes 52-99/"), "{head}");
    assert_eq!(body, file[52..100]);
    assert!(ask("/../a.png", "").0.starts_with("HTTP/1.1 40"));

    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
