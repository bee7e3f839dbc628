#include "on_device.cuh"

template struct command::OnDevice<__half>;
