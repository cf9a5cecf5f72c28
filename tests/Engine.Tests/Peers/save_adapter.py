"""Lets stock peft write a LoRA adapter with random A and B, and prints the Frobenius norm of every tensor as one JSON line.

  save_adapter.py --model BASE --out DIR --targets q_proj,down_proj [--rank 4] [--alpha 6] [--half]"""
import argparse
import json

import peft
import torch
import transformers

ap = argparse.ArgumentParser()
ap.add_argument("--model", required=True)
ap.add_argument("--out", required=True)
ap.add_argument("--targets", required=True)
ap.add_argument("--rank", type=int, default=4)
ap.add_argument("--alpha", type=int, default=6)
ap.add_argument("--half", action="store_true")
a = ap.parse_args()
torch.manual_seed(1)
model = transformers.AutoModelForCausalLM.from_pretrained(a.model, torch_dtype=torch.float32)
config = peft.LoraConfig(r=a.rank, lora_alpha=a.alpha, lora_dropout=0.1, target_modules=a.targets.split(","), task_type="CAUSAL_LM")
model = peft.get_peft_model(model, config)
factors = {n.replace(".default", ""): p for n, p in model.named_parameters() if "lora_" in n}
with torch.no_grad():
    for p in factors.values():
        p.copy_(torch.randn(p.shape) * 0.1)
        if a.half:
            p.data = p.data.half()
model.save_pretrained(a.out, safe_serialization=True)
print(json.dumps({n: float(p.double().norm()) for n, p in factors.items()}))
