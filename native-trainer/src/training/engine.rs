//! Loss and gradients of a batch: the one thing that training spends its time on.
//!
//! Three engines compute the same numbers. [`General`](super::General) is written in burn's tensor operations and
//! differentiated by burn: it runs on every device, and the others are tested against it. [`Fused`](super::Fused) on the
//! CPU and `Kernel` on a GPU walk each sample through all layers at once with a hand-written backward pass and never
//! write activations to memory. All feed the same optimiser.

use burn::tensor::Tensor;
use tessera_core::eval::cpu::training::Batch;
use tessera_core::module::FieldModule;

use super::{EngineChoice, Fused, General, OpenDevice, TrainingError};

/// Derivatives of the loss by the weights, in the layouts of [`FieldModule`], on its device.
#[derive(Debug, Clone)]
pub struct Gradients {
    /// `[shared parameters]`; `None` without a global network.
    pub shared: Option<Tensor<1>>,
    /// `[partitions, local parameters]`.
    pub local: Tensor<2>,
}

/// Computes loss and gradients. The loss is the mean over samples and channels of the squared error.
pub trait Engine: Send {
    /// The engine in words.
    fn name(&self) -> &'static str;

    /// Takes the samples of the following calls.
    ///
    /// # Errors
    /// [`TrainingError::Engine`] for a batch that the engine cannot serve.
    fn load(&mut self, batch: Batch) -> Result<(), TrainingError>;

    /// Loss of the loaded samples, and its gradients.
    ///
    /// # Errors
    /// [`TrainingError`] where the device fails.
    fn loss_and_gradients(&mut self, module: &FieldModule) -> Result<(f64, Gradients), TrainingError>;

    /// Loss alone.
    ///
    /// # Errors
    /// [`TrainingError`] where the device fails.
    fn loss(&mut self, module: &FieldModule) -> Result<f64, TrainingError> {
        Ok(self.loss_and_gradients(module)?.0)
    }
}

/// The engine for a choice and a device.
///
/// # Errors
/// [`TrainingError::Engine`] where the device has no such engine.
pub fn engine_for(choice: EngineChoice, device: &OpenDevice) -> Result<Box<dyn Engine>, TrainingError> {
    match choice {
        EngineChoice::Auto | EngineChoice::Fused if device.is_cpu() => Ok(Box::new(Fused::new(&device.device))),
        #[cfg(feature = "gpu")]
        EngineChoice::Auto if device.is_gpu() => Ok(Box::new(super::Kernel::new(device).or_general(device))),
        #[cfg(feature = "gpu")]
        EngineChoice::Fused if device.is_gpu() => Ok(Box::new(super::Kernel::new(device))),
        EngineChoice::Auto | EngineChoice::General => Ok(Box::new(General::new(device))),
        EngineChoice::Fused => Err(TrainingError::Engine(format!(
            "the fused engines serve the device `cpu` and GPUs, not `{}`; choose the general engine or `--device cpu`",
            device.choice
        ))),
    }
}
