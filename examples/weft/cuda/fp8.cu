#include "on_device.cuh"

template struct command::OnDevice<__nv_fp8_e4m3>;
