"""Times PyTorch's attention with cuDNN at the shapes of attention_bench, for comparison on the same machine."""
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def median_us(launch, samples=21):
    def milliseconds(launches):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(launches):
            launch()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / launches

    milliseconds(3)
    launches = min(max(int(5 / milliseconds(3)), 3), 100)
    return 1e3 * sorted(milliseconds(launches) for _ in range(samples))[samples // 2]


batch, heads, head_dim = 2, 16, 88
print(f"{'n':>7} {'S':>7} {'us':>10} {'useful TFLOP/s':>16}")
for n, keys in [(1024, 1024), (4096, 4096), (16384, 16384), (1024, 333), (4096, 333), (16384, 333), (512, 4096), (256, 4096)]:
    q, k, v = (torch.randn(batch, s, heads, head_dim, device="cuda", dtype=torch.bfloat16).transpose(1, 2) for s in (n, keys, keys))
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        us = median_us(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v))
    print(f"{n:7} {keys:7} {us:10.1f} {4e-6 * n * keys * batch * heads * head_dim / us:16.1f}")
