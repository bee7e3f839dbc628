#include "device_run.cuh"

template struct command::OnDevice<float>;
