#!/usr/bin/env bash
# Installs what building Tocsin needs on Debian 12; with --tests what its tests need as well. Installs nothing where
# all of it is there already.
set -euo pipefail

packages=(g++ cmake ninja-build ccache pkg-config
  libboost-dev libfmt-dev libspdlog-dev libsimdjson-dev libprotozero-dev libyaml-cpp-dev libre2-dev libhyperscan-dev libssl-dev libxxhash-dev zlib1g-dev libzstd-dev libmsgpack-cxx-dev
  nlohmann-json3-dev libcli11-dev prometheus-cpp-dev librdkafka-dev ca-certificates)
if [[ "${1:-}" == "--tests" ]]; then
  packages+=(openjdk-17-jdk-headless maven libgtest-dev libbenchmark-dev libprotobuf-dev protobuf-compiler python3 python3-confluent-kafka openssl
    prometheus clang-format-14 clang-14 libclang-rt-14-dev git tzdata)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then as_root=(sudo); fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
