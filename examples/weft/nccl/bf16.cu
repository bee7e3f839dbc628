#include "on_rank.cuh"

template struct command::NcclRank<__nv_bfloat16>;
