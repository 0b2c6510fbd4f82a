//! Where tensors live: turns a choice into a burn device, or says why it cannot.

use burn::tensor::Device;

use super::{DeviceChoice, TrainingError};

/// A device that answered.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// burn's handle, without automatic differentiation.
    pub device: Device,
    /// Which choice it is; never `Auto`.
    pub choice: DeviceChoice,
    /// The device in words.
    pub name: String,
    /// Whether a CPU does the work: the CPU device itself, or a graphics adapter without hardware.
    pub software: bool,
}

impl OpenDevice {
    /// Opens what was asked for. `Auto` takes the first of CUDA, Metal, Vulkan and any other graphics interface that is
    /// in this build and leads to hardware, else the CPU: a software adapter is a slow CPU. What it takes and why, it
    /// logs at the level `info`; why a build for CUDA cannot use it, as a warning.
    ///
    /// # Errors
    /// [`TrainingError::DeviceAbsent`] where this build lacks it, [`TrainingError::Device`] where it does not answer.
    pub fn open(choice: DeviceChoice) -> Result<Self, TrainingError> {
        match choice {
            DeviceChoice::Auto => Ok(Self::automatic()),
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Ndarray => ndarray(),
            DeviceChoice::Cuda => cuda(),
            DeviceChoice::Vulkan => graphics::vulkan(),
            DeviceChoice::Metal => graphics::metal(),
            DeviceChoice::Webgpu => graphics::webgpu(),
        }
    }

    fn automatic() -> Self {
        let mut refused = Vec::new();
        for choice in [DeviceChoice::Cuda, DeviceChoice::Metal, DeviceChoice::Vulkan, DeviceChoice::Webgpu] {
            if choice == DeviceChoice::Metal && !cfg!(target_vendor = "apple") {
                continue;
            }
            match Self::open(choice) {
                Ok(opened) if opened.software => refused.push(format!("{} is a software adapter", opened.name)),
                Ok(opened) => {
                    tracing::info!("using {}: the first GPU that answered", opened.name);
                    return opened;
                }
                Err(TrainingError::DeviceAbsent { .. }) => {}
                Err(reason) => {
                    // Whoever builds for CUDA expects it.
                    if choice == DeviceChoice::Cuda {
                        tracing::warn!("not using CUDA: {reason}");
                    }
                    refused.push(reason.to_string());
                }
            }
        }
        let why = if refused.is_empty() { "this build has no GPU device".to_owned() } else { refused.join("; ") };
        tracing::info!("using the CPU: {why}");
        Self::cpu()
    }

    fn cpu() -> Self {
        Self { device: Device::flex(), choice: DeviceChoice::Cpu, name: "cpu".to_owned(), software: true }
    }

    /// Whether this is one of burn's CubeCL devices, which the GPU kernels serve.
    pub fn is_gpu(&self) -> bool {
        !self.uses_threads()
    }

    /// Whether this is the CPU through burn's flex backend, which the fused kernel serves.
    pub fn is_cpu(&self) -> bool {
        self.choice == DeviceChoice::Cpu
    }

    /// Whether work runs on this process's own threads.
    pub fn uses_threads(&self) -> bool {
        matches!(self.choice, DeviceChoice::Cpu | DeviceChoice::Ndarray)
    }
}

/// The names of the devices in this build.
pub fn devices_in_this_build() -> Vec<&'static str> {
    let mut names = vec![DeviceChoice::Cpu.name()];
    for (built, choice) in [
        (cfg!(feature = "ndarray"), DeviceChoice::Ndarray),
        (cfg!(feature = "cuda"), DeviceChoice::Cuda),
        (graphics::BUILT, DeviceChoice::Vulkan),
        (graphics::BUILT && cfg!(target_vendor = "apple"), DeviceChoice::Metal),
        (graphics::BUILT, DeviceChoice::Webgpu),
    ] {
        if built {
            names.push(choice.name());
        }
    }
    names
}

#[cfg(not(all(
    feature = "ndarray",
    feature = "cuda",
    any(feature = "wgpu", feature = "vulkan", feature = "metal", feature = "webgpu")
)))]
fn absent(choice: DeviceChoice, feature: &'static str) -> TrainingError {
    TrainingError::DeviceAbsent { device: choice.name(), feature, available: devices_in_this_build().join(", ") }
}

#[cfg(feature = "ndarray")]
#[expect(clippy::unnecessary_wraps, reason = "the twin without the feature fails")]
#[expect(
    deprecated,
    reason = "burn prefers flex, which is our default; the older backend goes when burn 0.23 drops it"
)]
fn ndarray() -> Result<OpenDevice, TrainingError> {
    let name = "cpu (ndarray)".to_owned();
    Ok(OpenDevice { device: Device::ndarray(), choice: DeviceChoice::Ndarray, name, software: true })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<OpenDevice, TrainingError> {
    Err(absent(DeviceChoice::Ndarray, "ndarray"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<OpenDevice, TrainingError> {
    use burn::tensor::Tensor;

    let failed = |reason: String| TrainingError::Device { device: "cuda", reason };
    // burn has no fallible constructor for CUDA: it panics in the first operation where something is missing.
    let devices = super::cuda::devices(cfg!(feature = "cuda-nvrtc")).map_err(failed)?;
    // What the driver lets us see may still be out of memory or too old for the kernels.
    let trial = std::panic::catch_unwind(|| {
        let device = Device::cuda(0);
        let sum = Tensor::<1>::ones([2], &device).sum().try_into_scalar::<f32>();
        sum.map(|_| device).map_err(|e| e.to_string())
    });
    match trial {
        Ok(Ok(device)) => {
            let name = format!("cuda (device 0 of {devices})");
            Ok(OpenDevice { device, choice: DeviceChoice::Cuda, name, software: false })
        }
        Ok(Err(reason)) => Err(failed(reason)),
        Err(_) => Err(failed("the driver is there, but a first computation failed".to_owned())),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<OpenDevice, TrainingError> {
    Err(absent(DeviceChoice::Cuda, "cuda"))
}

/// Vulkan, Metal and WebGPU are one runtime of burn, wgpu, pinned to one graphics interface or to none.
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal", feature = "webgpu"))]
mod graphics {
    use std::sync::Mutex;

    use burn::tensor::Device;
    use burn::tensor::wgpu::{WgpuBackend, wgpu};

    use super::{DeviceChoice, OpenDevice, TrainingError};

    pub(super) const BUILT: bool = true;

    /// A second initialisation in one process fails, so a device that answered is kept.
    static OPENED: Mutex<Vec<OpenDevice>> = Mutex::new(Vec::new());

    pub(super) fn vulkan() -> Result<OpenDevice, TrainingError> {
        open(DeviceChoice::Vulkan, WgpuBackend::Vulkan)
    }

    pub(super) fn metal() -> Result<OpenDevice, TrainingError> {
        open(DeviceChoice::Metal, WgpuBackend::Metal)
    }

    /// `WgpuBackend::WebGpu` is the browser's own; natively the same shaders run on whichever interface there is.
    pub(super) fn webgpu() -> Result<OpenDevice, TrainingError> {
        open(DeviceChoice::Webgpu, WgpuBackend::Auto)
    }

    fn open(choice: DeviceChoice, backend: WgpuBackend) -> Result<OpenDevice, TrainingError> {
        let mut opened = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = opened.iter().find(|d| d.choice == choice) {
            return Ok(device.clone());
        }
        let (device, setup) = Device::wgpu_options()
            .graphics_api(backend)
            .init_with_setup()
            .map_err(|e| TrainingError::Device { device: choice.name(), reason: e.to_string() })?;
        let info = setup.adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let device = OpenDevice { name: format!("{choice} ({})", info.name), device, choice, software };
        opened.push(device.clone());
        Ok(device)
    }
}

#[cfg(not(any(feature = "wgpu", feature = "vulkan", feature = "metal", feature = "webgpu")))]
mod graphics {
    use super::{DeviceChoice, OpenDevice, TrainingError, absent};

    pub(super) const BUILT: bool = false;

    pub(super) fn vulkan() -> Result<OpenDevice, TrainingError> {
        Err(absent(DeviceChoice::Vulkan, "vulkan"))
    }

    pub(super) fn metal() -> Result<OpenDevice, TrainingError> {
        Err(absent(DeviceChoice::Metal, "metal"))
    }

    pub(super) fn webgpu() -> Result<OpenDevice, TrainingError> {
        Err(absent(DeviceChoice::Webgpu, "webgpu"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_always_opens() {
        assert!(OpenDevice::open(DeviceChoice::Cpu).unwrap().is_cpu());
        assert!(devices_in_this_build().contains(&"cpu"));
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "wgpu", feature = "vulkan")))]
    fn an_absent_device_names_its_feature_and_what_is_there() {
        for choice in [DeviceChoice::Cuda, DeviceChoice::Vulkan] {
            let message = OpenDevice::open(choice).unwrap_err().to_string();
            assert!(message.contains(&format!("--features {choice}")) && message.contains("one of: cpu"), "{message}");
        }
        assert!(OpenDevice::open(DeviceChoice::Auto).unwrap().is_cpu());
    }
}
