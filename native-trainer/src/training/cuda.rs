//! Whether CUDA can be used, asked of the driver itself: burn panics in its first operation where something is missing.

use std::ffi::c_int;

use libloading::{Library, Symbol};

#[cfg(windows)]
const DRIVER: &[&str] = &["nvcuda.dll"];
#[cfg(not(windows))]
const DRIVER: &[&str] = &["libcuda.so.1", "libcuda.so"];

/// NVRTC under the names that its releases have.
#[cfg(windows)]
const COMPILER: &[&str] = &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"];
#[cfg(not(windows))]
const COMPILER: &[&str] = &["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"];

/// Number of CUDA devices, at least one.
///
/// # Errors
/// A sentence: no driver, no device, or (with `compiler`, for builds that compile kernels by NVRTC) no NVRTC.
pub(super) fn devices(compiler: bool) -> Result<usize, String> {
    let driver = first_of(DRIVER).ok_or_else(|| {
        format!("there is no NVIDIA driver: {} was not found; install the driver of your card", DRIVER[0])
    })?;
    let count = count(&driver)?;
    if compiler && first_of(COMPILER).is_none() {
        return Err(format!(
            "the driver is there, but not CUDA's run-time compiler: {} was not found; install the CUDA toolkit or its \
             package `nvrtc`, and add its folder to the library path",
            COMPILER[0]
        ));
    }
    Ok(count)
}

#[expect(unsafe_code, reason = "loading a library runs its initialisers; these are the vendor's own")]
fn first_of(names: &[&str]) -> Option<Library> {
    // SAFETY: driver and compiler are made to be loaded into any process.
    names.iter().find_map(|name| unsafe { Library::new(*name) }.ok())
}

#[expect(unsafe_code, reason = "two calls of the driver's documented C interface")]
fn count(driver: &Library) -> Result<usize, String> {
    let missing = |error: libloading::Error| format!("the NVIDIA driver lacks a function: {error}");
    let mut count: c_int = 0;
    // SAFETY: both have had these signatures since the first release, and `count` outlives the call.
    let status = unsafe {
        let init: Symbol<'_, unsafe extern "C" fn(u32) -> c_int> = driver.get(b"cuInit\0").map_err(missing)?;
        let get_count: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
            driver.get(b"cuDeviceGetCount\0").map_err(missing)?;
        match init(0) {
            0 => get_count(&raw mut count),
            status => status,
        }
    };
    match (status, usize::try_from(count)) {
        (0, Ok(count)) if count > 0 => Ok(count),
        // CUDA_ERROR_NO_DEVICE.
        (0 | 100, _) => Err("the NVIDIA driver sees no device".to_owned()),
        (status, _) => Err(format!("the NVIDIA driver does not start: error {status}")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_without_cuda_is_told_what_is_missing() {
        match super::devices(true) {
            Ok(count) => assert!(count > 0),
            Err(reason) => assert!(reason.contains("driver") && reason.len() > 20, "{reason}"),
        }
    }

    #[test]
    fn a_library_that_is_not_there_is_no_panic() {
        assert!(super::first_of(&["libtessera-has-no-such-library.so"]).is_none());
    }
}
