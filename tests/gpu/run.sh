#!/usr/bin/env bash
# The tests and benchmarks of a GPU, on a machine without the SDK and without ../shared.
#
#   run.sh bundle       here: builds, and packs everything with a runtime into artifacts/gpu/bundle.tar.xz
#   run.sh STAGE        there, with that file: tests, sanitizer, bench-small, bench-slice or bench-prune, each below eight minutes;
#                       writes STAGE.json to $OUT (artifacts/gpu/results)
#   run.sh merge        either place: $OUT/*.json as a table, and together in $OUT/results.json
#
# NATIVEENGINE_CUDA_DIR names the double of the CUDA libraries to try it all without a GPU; NATIVEENGINE_GPU_SIZES=tiny makes the benchmarks fit it.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/artifacts/gpu
packed=$work/bundle.tar.xz
unpacked=$work/bundle
out=${OUT:-$work/results}
readonly root work packed unpacked out
readonly most_bytes=$((60 << 20)) # of the tree and the bundle together
readonly seconds=450              # of a stage

bundle() {
  dotnet build "$root/tests/gpu" -c Release --nologo -v:quiet -p:RunAnalyzers=false
  local staged runtime version
  staged=$(mktemp -d)
  trap 'rm -rf "$staged"' RETURN
  mkdir -p "$staged"/{engine/tests,shared,dotnet/host/fxr,dotnet/shared/Microsoft.NETCore.App} "$work"

  cp -r "$root/tests/gpu/bin/Release/net10.0" "$staged/engine/app"
  rm -r "$staged/engine/app/samples" # of the demo
  find "$staged/engine/app" '(' -name '*.pdb' -o -name '*.xml' ')' -delete
  cp -r "$root/tests/fixtures" "$staged/engine/tests/"
  cp "$root/NativeEngine.sln" "$staged/engine/" # what the tests find the root by

  runtime=$(dirname "$(readlink -f "$(command -v dotnet)")")
  version=$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App \(10\.[^ ]*\) .*/\1/p' | sort -V | tail -n 1)
  cp "$runtime/dotnet" "$staged/dotnet/"
  cp -r "$runtime/host/fxr/$version" "$staged/dotnet/host/fxr/"
  cp -r "$runtime/shared/Microsoft.NETCore.App/$version" "$staged/dotnet/shared/Microsoft.NETCore.App/"
  local unused='libmscord|libclrgcexp|createdump|Microsoft\.VisualBasic|System\.(Data\.|Private\.DataContract|Linq\.Async|Net\.(Http|Quic|Mail|WebSockets))'
  find "$staged/dotnet" -type f -regextype posix-extended -regex ".*/($unused)[^/]*" -delete

  local path
  while read -r path; do
    mkdir -p "$staged/shared/$(dirname "$path")"
    cp -r "$root/../shared/$path" "$staged/shared/$path"
  done < <(grep -v '^#' "$root/tests/gpu/data.txt")
  chmod -R u+w "$staged"

  tar -C "$staged" -c . | xz -T2 -6 >"$packed.partial"
  mv "$packed.partial" "$packed"
  local bytes tree
  bytes=$(stat -c %s "$packed")
  tree=$(cd "$root" && git ls-files -z | xargs -0 stat -c %s | awk '{ total += $1 } END { print total }')
  echo "bundle $((bytes >> 10)) KiB, tree $((tree >> 10)) KiB"
  if ((bytes + tree > most_bytes)); then
    echo "together they exceed $((most_bytes >> 20)) MiB: shorten tests/gpu/data.txt" >&2
    return 1
  fi
}

unpack() {
  if [[ ! -d $unpacked || $packed -nt $unpacked ]]; then
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    tar -C "$unpacked" -xJf "$packed"
    touch "$unpacked"
  fi
  export DOTNET_ROOT=$unpacked/dotnet NATIVEENGINE_CACHE=$work/cache
  if ! ldconfig -p 2>/dev/null | grep -q libicuuc; then
    export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
  fi
}

# Runs a program of the bundle, for what is left of the stage's time.
app() { timeout $((seconds > SECONDS ? seconds + 20 - SECONDS : 20)) "$unpacked/dotnet/dotnet" "$unpacked/engine/app/$1.dll" "${@:2}"; }

# The result lines of the commands that follow in one JSON object; a command that fails prints its error as such a line.
benchmarks() {
  local line first=1
  echo '{"results":['
  for line in "$@"; do
    ((first)) || echo ,
    first=0
    # shellcheck disable=SC2086 # a line is words
    app nativeengine bench $line --device cuda --quiet --json 2>>"$work/errors.log" | tail -n 1 | grep . ||
      echo "{\"error\":{\"code\":\"none\",\"message\":\"no result: bench $line\"}}"
  done
  echo ']}'
}

tests() {
  local interop=NativeEngine.Kernels.Tests.dll:Interop.
  app NativeEngine.Gpu test $seconds NativeEngine.Cuda.Tests.dll "$interop"{Device,Gate,Handle,KernelCompiler,MathLibrary}Tests
}

sanitizer() {
  local tool
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1 || true)
  if [[ -z $tool ]]; then
    echo '{"missing":"compute-sanitizer is not installed"}'
    return
  fi
  # The double runs a block's threads in turn, so a missing barrier shows here alone.
  local check line
  rm -f "$work"/*.failed
  for check in memcheck racecheck synccheck; do
    line=$("$tool" --tool $check --target-processes all --error-exitcode 9 --log-file "$work/$check.log" \
      "$unpacked/dotnet/dotnet" "$unpacked/engine/app/NativeEngine.Gpu.dll" test $((seconds / 3)) NativeEngine.Cuda.Tests.dll:OpTableTests) || touch "$work/$check.failed"
    echo "\"$check\":$(tail -n 1 <<<"$line" | grep . || echo null)"
  done | paste -sd, | sed 's/.*/{"checks":{&}}/'
  ! ls "$work"/*.failed >/dev/null 2>&1
}

bench-small() {
  if [[ ${NATIVEENGINE_GPU_SIZES:-} == tiny ]]; then
    benchmarks "gemm --n 64" "eigen --n 64" "kernels --rows 64 --columns 64" "decode --shape tiny-llama --prompt-tokens 4 --new-tokens 4" \
      "tune --shape tiny-llama --batch 1 --seqlen 16"
  else
    benchmarks "gemm --n 2048,4096,8192" "eigen --n 2560,4096,5120,8192" "kernels" "kernels --dtype bf16" "decode --shape llama-7b" "tune --shape llama-7b --batch 4 --seqlen 256"
  fi
}

bench-slice() {
  if [[ ${NATIVEENGINE_GPU_SIZES:-} == tiny ]]; then
    benchmarks "slice --shape tiny-llama --samples 2 --seqlen 32 --sparsity 0.3" "slice --shape tiny-llama --samples 2 --seqlen 32 --sparsity 0.3 --eigen projector"
  else
    benchmarks "slice --shape llama-7b --samples 128 --seqlen 2048 --sparsity 0.3" "slice --shape llama-7b --samples 128 --seqlen 2048 --sparsity 0.3 --eigen projector" \
      "slice --shape llama-7b --samples 1024 --seqlen 2048 --sparsity 0.3 --eigen projector" "slice --shape llama-7b --samples 1024 --seqlen 2048 --sparsity 0.3"
  fi
}

bench-prune() {
  if [[ ${NATIVEENGINE_GPU_SIZES:-} == tiny ]]; then
    benchmarks "prune --shape tiny-llama --samples 2 --seqlen 16"
  else
    benchmarks "prune --shape llama-7b --samples 10 --seqlen 64" "prune --shape llama-7b --samples 10 --seqlen 64 --taylor param_mix"
  fi
}

case ${1:-} in
bundle) bundle ;;
tests | sanitizer | bench-small | bench-slice | bench-prune)
  unpack
  mkdir -p "$out"
  code=0
  "$1" >"$out/$1.json" || code=$?
  cat "$out/$1.json"
  exit "$code"
  ;;
merge)
  unpack
  app NativeEngine.Gpu merge "$out"
  ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
