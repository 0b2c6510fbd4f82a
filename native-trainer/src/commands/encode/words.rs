//! Words of the command line in the terms of the engine and the format.

use tessera_core::format::WeightCoding;

use crate::arguments::values::{DeviceName, WeightsName};
use crate::training::DeviceChoice;

/// The engine's word for a device of the command line.
pub(in crate::commands) fn device(name: DeviceName) -> DeviceChoice {
    match name {
        DeviceName::Auto => DeviceChoice::Auto,
        DeviceName::Cpu => DeviceChoice::Cpu,
        DeviceName::Cuda => DeviceChoice::Cuda,
        DeviceName::Vulkan => DeviceChoice::Vulkan,
        DeviceName::Metal => DeviceChoice::Metal,
        DeviceName::Webgpu => DeviceChoice::Webgpu,
        DeviceName::Ndarray => DeviceChoice::Ndarray,
    }
}

/// The format's word for a weight type of the command line.
pub(in crate::commands) fn coding(name: WeightsName) -> WeightCoding {
    match name {
        WeightsName::F32 => WeightCoding::F32,
        WeightsName::F16 => WeightCoding::F16,
        WeightsName::Bf16 => WeightCoding::Bf16,
    }
}
