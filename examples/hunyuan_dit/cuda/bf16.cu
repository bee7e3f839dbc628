#include "device_run.cuh"

template struct command::OnDevice<__nv_bfloat16>;
