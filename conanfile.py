"""Conan's recipe: `conan create .` packages the headers. What they need are packages of the system, as in any other
build; `conan create . -c tools.system.package_manager:mode=install` installs them."""
import re
from pathlib import Path

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import load
from conan.tools.system.package_manager import Apt


class Weft(ConanFile):
    name = "weft"
    description = "Parallel methods woven over a Diffusion Transformer at compile time"
    license = "Apache-2.0"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports_sources = "CMakeLists.txt", "cmake/*", "include/*", "kernels/*", "LICENSE"
    test_package_folder = "tests/package/consumer"

    def set_version(self):
        header = load(self, Path(self.recipe_folder, "include/weft/version.hpp"))
        self.version = ".".join(re.findall(r"^#define WEFT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M))

    def layout(self):
        cmake_layout(self)

    def system_requirements(self):
        Apt(self).install(["libeigen3-dev", "librandom123-dev", "rapidjson-dev"], check=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False
        for option in ("TESTS", "EXAMPLES"):
            toolchain.cache_variables[f"WEFT_BUILD_{option}"] = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # weft's own package says what it needs
        self.cpp_info.builddirs = ["share/cmake/weft"]

    def package_id(self):
        self.info.clear()
