use proptest::prelude::*;

use super::*;
use crate::grid::{Grid, SampleBox, UNIT_RANGE};
use crate::signal::{ColourSpace, SampleFormat, SignalInfo, SignalKind};

fn canvas(kind: SignalKind, shape: &[u32], factors: &[u32], rate: (u32, u32)) -> (SignalInfo, Grid) {
    let signal = SignalInfo {
        kind,
        shape: shape.to_vec(),
        channels: 1,
        format: SampleFormat::F32,
        colour: ColourSpace::None,
        alpha: false,
        rate,
        amplitude: 1.0,
        placement: None,
    };
    signal.validate().unwrap();
    (signal, Grid::new(shape.to_vec(), factors.to_vec(), UNIT_RANGE).unwrap())
}

fn picture() -> (SignalInfo, Grid) {
    canvas(SignalKind::Picture, &[512, 512], &[16, 16], (0, 1))
}

fn parts((signal, grid): &(SignalInfo, Grid), text: &str, snap: Snap) -> Result<Vec<u32>, Error> {
    text.parse::<Selector>()?.partitions(signal, grid, snap)
}

fn bounds((signal, grid): &(SignalInfo, Grid), text: &str) -> Result<SampleBox, Error> {
    text.parse::<Selector>()?.bounds(signal, grid)
}

#[test]
fn boxes_snap_outwards_or_inwards() {
    let on = picture();
    let window: Vec<u32> = (4..12).flat_map(|r| (4..12).map(move |c| r * 16 + c)).collect();
    assert_eq!(parts(&on, "256x256+128+128", Snap::Outer).unwrap(), window);
    assert_eq!(parts(&on, "256x256+128+128", Snap::Inner).unwrap(), window);
    assert_eq!(parts(&on, "258x256+127+128", Snap::Inner).unwrap(), window);
    assert_eq!(parts(&on, "258x256+127+128", Snap::Outer).unwrap().len(), 8 * 10);
    assert_eq!(parts(&on, "34x32+31+0", Snap::Outer).unwrap(), [0, 1, 2]);
    assert_eq!(parts(&on, "34x32+31+0", Snap::Inner).unwrap(), [1]);
    assert_eq!(parts(&on, "1x1+511+0", Snap::Outer).unwrap(), [15]);
    assert!(parts(&on, "31x31+0+0", Snap::Inner).unwrap_err().to_string().contains("snap outwards"));
    assert_eq!(bounds(&on, "258x256+127+130").unwrap(), [130..386, 127..385]);
    // Over the border it is clipped, outside it is refused, far outside as well.
    assert_eq!(bounds(&on, "100x4294967295+500+0").unwrap(), [0..512, 500..512]);
    for outside in ["10x10+512+0", "10x10+0+512", "4294967295x1+4294967295+0"] {
        assert!(bounds(&on, outside).unwrap_err().to_string().contains("outside"), "{outside}");
    }
}

#[test]
fn boxes_of_three_axes_are_ranges() {
    let on = canvas(SignalKind::Shape, &[30, 40, 20], &[3, 4, 2], (0, 1));
    assert_eq!(bounds(&on, "box=3..8,..12,15..").unwrap(), [3..8, 0..12, 15..20]);
    assert_eq!(parts(&on, "box=3..8,..12,15..", Snap::Outer).unwrap(), [1, 3]);
    assert_eq!(parts(&on, "box=0..20,5..20,..", Snap::Inner).unwrap(), [2, 3, 10, 11]);
    assert_eq!("box=3..8,..12, 15..".parse::<Selector>().unwrap().to_string(), "box=3..8,..12,15..");
    assert!(bounds(&on, "box=30..31,..,..").unwrap_err().to_string().contains("outside"));
    assert!(bounds(&on, "box=0..1,..").unwrap_err().to_string().contains("3 axes"));
    for wrong in ["box=", "box=1", "box=3..3,..,..", "box=..0,..,..", "box=..,..,..,..,..", "box=-1..2,..,.."] {
        assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
    }
    assert_eq!(bounds(&picture(), "box=..9,500..900").unwrap(), [0..9, 500..512]);
}

#[test]
fn partitions_by_number_and_index_count_rows_first() {
    let on = picture();
    assert_eq!(parts(&on, "parts=[0,15]", Snap::Outer).unwrap(), [15]);
    assert_eq!(parts(&on, "parts=[15,0],[0,1]", Snap::Outer).unwrap(), [1, 240]);
    assert_eq!(parts(&on, "parts=[15,0];[0,1]", Snap::Inner).unwrap(), [1, 240]);
    assert_eq!(parts(&on, "parts=7,0-3,2-4, [0,9] ,7", Snap::Outer).unwrap(), [0, 1, 2, 3, 4, 7, 9]);
    assert_eq!(bounds(&on, "parts=[0,15];[1,14]").unwrap(), [0..64, 448..512]);
    // A run over the end of a row touches both ends of the rows.
    assert_eq!(bounds(&on, "parts=15-16").unwrap(), [0..64, 0..512]);
    assert_eq!(bounds(&on, "parts=17-20").unwrap(), [32..64, 32..160]);
    for missing in ["parts=256", "parts=0-4294967295", "parts=[16,0]", "parts=[0]", "parts=[0,0,0]"] {
        assert!(parts(&on, missing, Snap::Outer).unwrap_err().to_string().contains("no partition"), "{missing}");
    }
}

#[test]
fn slabs_lie_across_an_axis() {
    let on = picture();
    let rows: Vec<u32> = (0..16).chain(240..256).collect();
    assert_eq!(parts(&on, "slab=0:0,15", Snap::Outer).unwrap(), rows);
    assert_eq!(parts(&on, "slab=1:0", Snap::Outer).unwrap(), (0..16).map(|r| r * 16).collect::<Vec<_>>());
    assert_eq!(bounds(&on, "slab=1:3-5").unwrap(), [0..512, 96..192]);
    let on = canvas(SignalKind::Shape, &[8, 8, 8], &[2, 4, 2], (0, 1));
    assert_eq!(parts(&on, "slab=1:1-2", Snap::Outer).unwrap(), [2, 3, 4, 5, 10, 11, 12, 13]);
    assert_eq!(parts(&on, "parts=[1,3,1]", Snap::Outer).unwrap(), [15]);
    for wrong in ["slab=3:0", "slab=1:4", "slab=1:0-4294967295"] {
        assert!(parts(&on, wrong, Snap::Outer).is_err(), "{wrong}");
    }
}

#[test]
fn times_are_seconds_of_sound_and_video() {
    let on = canvas(SignalKind::Sound, &[441_000], &[10], (44_100, 1));
    assert_eq!(bounds(&on, "t=1.2..3.4").unwrap()[0], 52_920..149_940);
    assert_eq!(parts(&on, "t=1.2..3.4", Snap::Outer).unwrap(), [1, 2, 3]);
    assert_eq!(parts(&on, "t=1.2..3.4", Snap::Inner).unwrap(), [2]);
    assert_eq!(bounds(&on, "t=9..").unwrap()[0], 396_900..441_000);
    assert_eq!(bounds(&on, "t=..0.5").unwrap()[0], 0..22_050);
    assert_eq!(bounds(&on, "t=9..1000000").unwrap()[0], 396_900..441_000);
    assert!(bounds(&on, "t=10..11").unwrap_err().to_string().contains("outside"));
    assert!(bounds(&on, "8x8+0+0").unwrap_err().to_string().contains("columns"));
    let on = canvas(SignalKind::Video, &[30, 9, 8], &[3, 3, 2], (10, 1));
    assert_eq!(bounds(&on, "t=0.95..1.05").unwrap(), [9..11, 0..9, 0..8]);
    assert_eq!(bounds(&on, "4x3+4+0").unwrap(), [0..30, 0..3, 4..8]);
    assert!(bounds(&picture(), "t=0..1").is_err());
}

#[test]
fn boxes_and_times_have_a_common_part() {
    let on = canvas(SignalKind::Video, &[30, 9, 8], &[3, 3, 2], (10, 1));
    assert_eq!(bounds(&on, "4x3+4+0@t=1..2").unwrap(), [10..20, 0..3, 4..8]);
    assert_eq!(bounds(&on, "t=1..2@pct:50,0,50,34").unwrap(), [10..20, 0..4, 4..8]);
    assert_eq!(bounds(&on, "4x3+4+0 @ 8x2+5+1 @ t=..1").unwrap(), [0..10, 1..3, 5..8]);
    assert_eq!(parts(&on, "4x3+4+0@t=1..2", Snap::Outer).unwrap(), [7]);
    assert_eq!(parts(&on, "4x3+4+0@t=0.95..2.1", Snap::Outer).unwrap(), [1, 7, 13]);
    assert_eq!(parts(&on, "4x3+4+0@t=0.95..2.1", Snap::Inner).unwrap(), [7]);
    // A union takes the whole of each side.
    assert_eq!(parts(&on, "4x3+4+0;t=1..2", Snap::Outer).unwrap(), [1, 6, 7, 8, 9, 10, 11, 13]);
    assert_eq!(bounds(&on, "1x1+0+0@t=..1;1x1+7+8@t=2..").unwrap(), on.1.canvas());
    assert!(bounds(&on, "2x2+0+0@2x2+4+4").unwrap_err().to_string().contains("nothing in common"));
    assert!(bounds(&on, "2x2+0+0@t=9..").unwrap_err().to_string().contains("outside"));
    assert!(bounds(&picture(), "2x2+0+0@t=0..1").is_err());
}

#[test]
fn per_cents_are_of_width_and_height() {
    let on = canvas(SignalKind::Picture, &[300, 451], &[3, 4], (0, 1));
    assert_eq!(bounds(&on, "pct:0,0,100,100").unwrap(), [0..300, 0..451]);
    assert_eq!(bounds(&on, "pct:50,10,25,20").unwrap(), [30..90, 225..339]);
    assert_eq!(bounds(&on, "pct:99.9,0,50,0.01").unwrap(), [0..1, 450..451]);
    assert!(bounds(&on, "pct:100,0,1,1").is_err());
}

#[test]
fn unions_and_everything() {
    let on = picture();
    assert_eq!(parts(&on, "all", Snap::Inner).unwrap().len(), 256);
    assert_eq!(parts(&on, "1x1+0+0; 1x1+511+511;parts=[0,1]", Snap::Outer).unwrap(), [0, 1, 255]);
    assert_eq!(bounds(&on, "1x1+5+4;1x1+9+2").unwrap(), [2..5, 5..10]);
    assert_eq!(Selector::all().bounds(&on.0, &on.1).unwrap(), on.1.canvas());
    assert_eq!(Selector::of_partitions(&[3, 1, 2, 9]).unwrap().to_string(), "parts=1-3,9");
    assert!(Selector::of_partitions(&[]).is_err());
    let (signal, _) = canvas(SignalKind::Picture, &[512, 511], &[1, 1], (0, 1));
    assert!(Selector::all().bounds(&signal, &on.1).is_err());
}

#[test]
fn selectors_print_in_one_form() {
    for (text, printed) in [
        ("all", "all"),
        ("008x4+01+2", "8x4+1+2"),
        ("8x4 1 2", "8x4+1+2"),
        ("pct:1.50,2,.5,40", "pct:1.5,2,0.5,40"),
        ("t=1.20..", "t=1.2.."),
        ("t=..2", "t=..2"),
        ("parts=7,3-5,6", "parts=3-7"),
        ("parts=[2,3],[0,7],9,[0,7]", "parts=9,[0,7],[2,3]"),
        ("parts=[2,3];[0,7];parts=1;all;all", "parts=1,[0,7],[2,3];all"),
        ("slab=1:9,0-2", "slab=1:0-2,9"),
        (" 04x3+4+0 @t=1.0..2; all", "4x3+4+0@t=1..2;all"),
    ] {
        let selector: Selector = text.parse().unwrap();
        assert_eq!(selector.to_string(), printed);
        assert_eq!(printed.parse::<Selector>().unwrap(), selector);
    }
    assert_eq!("inner".parse::<Snap>().unwrap().to_string(), "inner");
    assert!("out".parse::<Snap>().is_err());
}

#[test]
fn nonsense_is_refused_with_the_grammar() {
    for text in [
        "",
        ";",
        "all;",
        "everything",
        "8x8",
        "8x8+1",
        "8x8+1+2+3",
        "0x8+1+1",
        "8x0+1+1",
        "-8x8+1+1",
        "8x8-1-1",
        "4294967296x1+0+0",
        "8x8+1.5+0",
        "pct:1,2,3",
        "pct:1,2,3,4,5",
        "pct:1,2,0,4",
        "pct:-1,2,3,4",
        "pct:nan,0,1,1",
        "pct:1e3,0,1,1",
        "pct:inf,0,1,1",
        "pct:9999999999,0,1,1",
        "t=",
        "t=..",
        "t=1",
        "t=2..1",
        "t=1..1",
        "t=-1..1",
        "parts=",
        "parts=,",
        "parts=1,",
        "parts=3-1",
        "parts=1-",
        "parts=-1",
        "parts=[1,2",
        "parts=[]",
        "parts=1 2",
        "parts=[1,2]3",
        "parts=[0,0,0,0,0]",
        "parts=99999999999",
        "slab=",
        "slab=0",
        "slab=0:",
        "slab=4:0",
        "[0,1]",
        "all;[0,1]",
        "слово",
        "8x8+1+²",
        "@",
        "t=1..2@",
        "t=1..2@parts=1",
        "t=1..2@all",
        "1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0@1x1+0+0",
    ] {
        let error = text.parse::<Selector>().unwrap_err();
        assert!(matches!(error, Error::Parameter(_)) && error.to_string().contains("slab=axis"), "{text}: {error}");
    }
    let long = "é".repeat(30_000).parse::<Selector>().unwrap_err();
    assert!(long.to_string().len() < 400);
    assert!(matches!("1".repeat(65_537).parse::<Selector>(), Err(Error::Limit(_))));
    let many: Vec<String> = (0..257).map(|x| format!("1x1+{x}+0")).collect();
    assert!(matches!(many.join(";").parse::<Selector>(), Err(Error::Limit(_))));
}

/// The most work that a text can order: many overlapping terms on the largest grid.
#[test]
fn hostile_texts_take_bounded_time() {
    let on = canvas(SignalKind::Picture, &[1024, 1024], &[1024, 1024], (0, 1));
    let terms: Vec<String> = (0..256).map(|i| format!("{0}x{0}+0+0", 1024 - i)).collect();
    let lists = format!("parts={}", vec!["0-1048575"; 6000].join(","));
    let start = std::time::Instant::now();
    assert_eq!(parts(&on, &terms.join(";"), Snap::Outer).unwrap().len(), 1 << 20);
    assert_eq!(parts(&on, &lists, Snap::Outer).unwrap().len(), 1 << 20);
    assert!(start.elapsed().as_secs_f64() < 3.0, "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9x+=.,;:@\\[\\] a-z]{0,40}") {
        if let Ok(selector) = text.parse::<Selector>() {
            let printed = selector.to_string();
            prop_assert_eq!(printed.parse::<Selector>().unwrap(), selector.clone(), "{}", printed);
            let (signal, grid) = picture();
            let _ = selector.partitions(&signal, &grid, Snap::Outer);
            let _ = selector.bounds(&signal, &grid);
        }
    }

    /// Against the definition: a partition is selected where one, or every one, of its samples lies in the box.
    #[test]
    fn snapping_agrees_with_counting_samples(
        shape in (1_u32..40, 1_u32..40), factors in (1_u32..7, 1_u32..7),
        size in (1_u32..30, 1_u32..30), at in (0_u32..45, 0_u32..45),
    ) {
        let factors = [factors.0.min(shape.0), factors.1.min(shape.1)];
        let on = canvas(SignalKind::Picture, &[shape.0, shape.1], &factors, (0, 1));
        let text = format!("{}x{}+{}+{}", size.1, size.0, at.1, at.0);
        let inside = |r: u32, c: u32| (at.0..at.0 + size.0).contains(&r) && (at.1..at.1 + size.1).contains(&c);
        let count = |p: u32| {
            let bounds = on.1.partition_box(p);
            bounds[0].clone().flat_map(|r| bounds[1].clone().map(move |c| (r, c))).filter(|&(r, c)| inside(r, c)).count() as u64
        };
        let touched: Vec<u32> = (0..on.1.partitions()).filter(|&p| count(p) > 0).collect();
        let contained: Vec<u32> = (0..on.1.partitions()).filter(|&p| count(p) == on.1.partition_samples(p)).collect();
        prop_assert_eq!(parts(&on, &text, Snap::Outer).unwrap_or_default(), touched);
        prop_assert_eq!(parts(&on, &text, Snap::Inner).unwrap_or_default(), contained);
    }
}
