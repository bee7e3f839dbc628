#include "on_device.cuh"

template struct command::OnDevice<__nv_bfloat16>;
