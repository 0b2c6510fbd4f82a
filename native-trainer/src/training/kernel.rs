//! Loss and gradients by the fused GPU kernel of `tessera-core`.

use burn::tensor::Device;
use tessera_core::eval::cpu::training::Batch;
use tessera_core::eval::gpu::GpuTrainer;
use tessera_core::module::FieldModule;

use super::{Engine, General, Gradients, OpenDevice, TrainingError};

/// The fused GPU kernel, or burn's general operations for networks and batches that it does not hold.
#[derive(Debug)]
pub struct Kernel {
    device: Device,
    state: State,
    /// Loaded, but not yet uploaded: the kernel is made for a network, which comes with the first step.
    waiting: Option<Batch>,
    /// What takes over where network or batch are too large; `None` where the kernel alone will do.
    general: Option<General>,
}

#[derive(Debug)]
enum State {
    Unknown,
    Kernel(Box<GpuTrainer>),
    General(Box<General>),
}

impl Kernel {
    /// An engine on `device`, which must be one of burn's CubeCL devices.
    pub fn new(device: &OpenDevice) -> Self {
        Self { device: device.device.clone(), state: State::Unknown, waiting: None, general: None }
    }

    /// The same, with burn's general operations for what the kernel does not hold.
    #[must_use]
    pub fn or_general(mut self, device: &OpenDevice) -> Self {
        self.general = Some(General::new(device));
        self
    }

    /// Makes the kernel for `module` and uploads what is waiting.
    fn prepare(&mut self, module: &FieldModule) -> Result<(), TrainingError> {
        let unsuited = match &self.state {
            State::Unknown => true,
            State::Kernel(trainer) => trainer.spec() != module.spec(),
            State::General(_) => false,
        };
        if unsuited {
            match GpuTrainer::new(&self.device, module.spec()) {
                Ok(trainer) => self.state = State::Kernel(Box::new(trainer)),
                Err(reason) => self.hand_over(reason)?,
            }
        }
        let Some(batch) = self.waiting.take() else { return Ok(()) };
        if let State::Kernel(trainer) = &mut self.state {
            match trainer.load(&batch) {
                Ok(()) => return Ok(()),
                Err(reason) => self.hand_over(reason)?,
            }
        }
        match &mut self.state {
            State::General(general) => general.load(batch),
            State::Kernel(_) | State::Unknown => Ok(()),
        }
    }

    /// Leaves everything from here on to the general operations, where they may take over and `reason` is the kernel's
    /// size.
    fn hand_over(&mut self, reason: tessera_core::Error) -> Result<(), TrainingError> {
        match (reason, self.general.take()) {
            (tessera_core::Error::Device(reason), Some(general)) => {
                tracing::warn!("training by general operations: {reason}");
                self.state = State::General(Box::new(general));
                Ok(())
            }
            (reason, _) => Err(reason.into()),
        }
    }
}

impl Engine for Kernel {
    fn name(&self) -> &'static str {
        match &self.state {
            State::General(general) => general.name(),
            State::Unknown | State::Kernel(_) => "fused on the GPU",
        }
    }

    fn load(&mut self, batch: Batch) -> Result<(), TrainingError> {
        self.waiting = Some(batch);
        Ok(())
    }

    fn loss_and_gradients(&mut self, module: &FieldModule) -> Result<(f64, Gradients), TrainingError> {
        self.prepare(module)?;
        match &mut self.state {
            State::Kernel(trainer) => {
                let step = trainer.loss_and_gradients(module.shared(), module.local())?;
                let loss = step.loss_now()?;
                Ok((loss, Gradients { shared: step.shared, local: step.local }))
            }
            State::General(general) => general.loss_and_gradients(module),
            State::Unknown => Err(TrainingError::Engine("no batch is loaded".to_owned())),
        }
    }

    fn loss(&mut self, module: &FieldModule) -> Result<f64, TrainingError> {
        self.prepare(module)?;
        match &mut self.state {
            // The way back costs nothing to write and little to run: weights are judged seldom.
            State::Kernel(_) | State::Unknown => Ok(self.loss_and_gradients(module)?.0),
            State::General(general) => general.loss(module),
        }
    }
}
