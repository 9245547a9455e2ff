# scripts/package.sh fills in @URL@, @SHA256@ and @VERSION@. Not tried yet: there was no Mac at hand.
class Cmuxproxy < Formula
  desc "Shows port 3000 of a remote workspace as http://localhost:3000"
  url "@URL@"
  version "@VERSION@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "boost" => :build
  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "tomlplusplus" => :build
  depends_on "brotli"
  depends_on "fmt"
  depends_on "hiredis"
  depends_on "libnghttp2"
  depends_on "openssl@3"
  depends_on "spdlog"

  def install
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DCMUX_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  def caveats
    <<~EOS
      cmuxproxy service install    starts it at login
      cmuxproxy ca install         trusts its certificates for https://localhost
      What stays after uninstalling is the state folder: ~/.local/state/cmuxproxy
    EOS
  end

  test do
    assert_equal "cmuxproxy #{version}", shell_output("#{bin}/cmuxproxy version").strip
  end
end
