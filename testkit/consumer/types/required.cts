/** CommonJS that requires netring: modules of ES can be required since Node 20.19 and 22.12. Compiled, never run. */
import netring = require('netring')

export const capture: netring.Capture = netring.Capture.open('eth0')
