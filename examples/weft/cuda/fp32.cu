#include "on_device.cuh"

template struct command::OnDevice<float>;
