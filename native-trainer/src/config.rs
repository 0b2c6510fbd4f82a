//! The layers of configuration: preset < TOML file < environment < flags.
//!
//! clap has merged flags and environment when this runs, so the rest is filling gaps. The merged options (without
//! paths, and with what was chosen automatically filled in) are kept in the encoded file, where `info` shows them.

use std::fs;
use std::path::Path;

use anyhow::Result;
use tessera_core::signal::SignalInfo;

use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, ModelName, Preset};
use crate::errors::{input_fault, usage_fault};
use crate::plan;

/// Options from a TOML file whose keys are the flags' names without dashes in front.
///
/// # Errors
/// [`crate::errors::Fault::Input`] where the file cannot be read, [`crate::errors::Fault::Usage`] where a key or value
/// is not known.
pub fn read(path: &Path) -> Result<EncodeOptions> {
    let text = fs::read_to_string(path)
        .map_err(|e| input_fault(format!("cannot read the configuration {}: {e}", path.display())))?;
    toml::from_str(&text)
        .map_err(|e| usage_fault(format!("in the configuration {}: {}", path.display(), e.to_string().trim_end())))
}

/// Every option of `upper` that is set, else that of `lower`.
pub fn over(upper: EncodeOptions, lower: EncodeOptions) -> EncodeOptions {
    macro_rules! first_of {
        ($($field:ident),+ $(,)?) => { EncodeOptions { $($field: upper.$field.or(lower.$field)),+ } };
    }
    // No `..`: a new option that is forgotten here does not compile.
    first_of!(
        preset,
        model,
        partitions,
        partition_size,
        parameters,
        global_share,
        local_width,
        global_width,
        hidden_layers,
        omega,
        first_omega,
        hidden_omega,
        encoding,
        encoding_scale,
        frequencies,
        activation,
        weights,
        resolution,
        padding,
        field,
        voxels,
        steps,
        bpp,
        target_size,
        quality,
        psnr,
        max_time,
        recipe,
        learning_rate,
        l1,
        patience,
        early_stop,
        sample_fraction,
        overlap,
        blend,
        seed,
        device,
        threads,
    )
}

/// What was asked for, before a signal is known: flags and environment over the file.
///
/// # Errors
/// Those of [`read`].
pub fn given(typed: &EncodeOptions, file: Option<&Path>) -> Result<EncodeOptions> {
    Ok(over(typed.clone(), file.map(read).transpose()?.unwrap_or_default()))
}

/// What was asked for over what it means for a signal, the recipe filled in. The signal decides what a preset means: `draft` and `fine` scale the steps
/// that it gets under what was chosen, `paper` is the published setting of its kind, `light` one that decodes fast,
/// `strumpler-32` and the like are published settings for pictures. A wanted size decides the network under all that.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for a preset that is for other signals, or for sizes that contradict each other.
pub fn completed(options: EncodeOptions, signal: &SignalInfo) -> Result<EncodeOptions> {
    let preset = options.preset.unwrap_or(Preset::Fast);
    let named = match preset {
        Preset::Fast | Preset::Draft | Preset::Fine => EncodeOptions::default(),
        Preset::Light => plan::light(signal.kind, options.model),
        Preset::Paper => plan::paper(signal.kind, options.model.unwrap_or(ModelName::LocalGlobal)),
        Preset::Strumpler32 => plan::compression(signal.kind, 32)?,
        Preset::Strumpler48 => plan::compression(signal.kind, 48)?,
        Preset::Strumpler64 => plan::compression(signal.kind, 64)?,
        Preset::Strumpler96 => plan::compression(signal.kind, 96)?,
        Preset::Strumpler128 => plan::compression(signal.kind, 128)?,
    };
    let rate = plan::rate(&options, signal)?;
    let chosen = over(options, named);
    let mut rated = match rate {
        Some(plan::Rate::Bytes(bytes)) => plan::rated(signal, &chosen, bytes),
        _ => EncodeOptions::default(),
    };
    let recipe = plan::recipe(&over(chosen.clone(), rated.clone()), signal);
    let scaled = |scale: fn(u64) -> u64| {
        let usual = rated.steps.map_or_else(|| plan::default_steps(recipe, signal), |Count(n)| n);
        Some(Count(scale(usual)))
    };
    match preset {
        Preset::Draft => rated.steps = scaled(|n| (n / 4).max(1)),
        Preset::Fine => rated.steps = scaled(|n| n.saturating_mul(4)),
        _ => {}
    }
    let signal = EncodeOptions { recipe: Some(recipe), ..EncodeOptions::default() };
    Ok(over(over(chosen, rated), signal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::values::RecipeName;
    use tessera_core::signal::SampleFormat;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_preset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.toml");
        fs::write(&path, "preset = \"paper\"\nparameters = \"50k\"\nsteps = 30\nlearning-rate = 1e-3\nmax-time = 90\n")
            .unwrap();
        let signal = SignalInfo::picture(512, 512, 3, SampleFormat::U8).unwrap();
        let typed = EncodeOptions { steps: Some(Count(7)), ..EncodeOptions::default() };
        let merged = completed(given(&typed, Some(&path)).unwrap(), &signal).unwrap();
        assert_eq!(merged.steps, Some(Count(7)));
        assert_eq!(merged.parameters, Some(Count(50_000)));
        assert_eq!(merged.learning_rate, Some(1e-3));
        assert_eq!(merged.global_width, Some(84));
        // The preset's recipe, not the signal's.
        assert_eq!(merged.recipe, Some(RecipeName::Published));
        let text = toml::to_string(&merged).unwrap();
        assert_eq!(toml::from_str::<EncodeOptions>(&text).unwrap(), merged);
    }

    #[test]
    fn the_published_compression_settings_are_for_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.toml");
        fs::write(&path, "preset = \"strumpler-48\"\nfrequencies = 12\nearly-stop = \"2k\"\n").unwrap();
        let picture = SignalInfo::picture(512, 768, 3, SampleFormat::U8).unwrap();
        let merged_for = |signal| completed(given(&EncodeOptions::default(), Some(&path)).unwrap(), signal);
        let options = merged_for(&picture).unwrap();
        assert_eq!((options.local_width, options.frequencies, options.encoding_scale), (Some(48), Some(12), Some(1.4)));
        assert_eq!(
            (options.l1, options.patience, options.early_stop),
            (Some(1e-5), Some(Count(500)), Some(Count(2000)))
        );
        assert_eq!((options.recipe, options.steps), (Some(RecipeName::Published), Some(Count(25_000))));
        let text = toml::to_string(&options).unwrap();
        assert_eq!(toml::from_str::<EncodeOptions>(&text).unwrap(), options);
        let sound = SignalInfo::sound(300, 1, SampleFormat::U16, 8_000, 1.0).unwrap();
        assert!(merged_for(&sound).unwrap_err().to_string().contains("pictures"));
    }

    #[test]
    fn unknown_keys_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.toml");
        fs::write(&path, "stepz = 30\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("stepz"));
    }
}
