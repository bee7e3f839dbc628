#include "on_rank.cuh"

template struct command::NcclRank<__half>;
